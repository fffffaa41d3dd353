import {imagePath} from '../../unit/host/samples.js'

/** A libvirt domain that is no pair: it is on the disk of its host, and runs or not. */
export interface Plain {
  readonly name: string
  readonly uuid: string
  readonly xml: string
  autostart: boolean
  running: boolean
}

const uuid = '8d9eafb0-c1d2-4d4e-9f5a-6b7c8d9eaf15'

/** One that an import carries over whole, with the disk and the NIC of the model's pair. */
export function plainDomain(): Plain {
  return {name: 'vm1', uuid, xml: definition, autostart: false, running: true}
}

const definition = `<domain type='kvm'>
  <name>vm1</name>
  <uuid>${uuid}</uuid>
  <memory unit='MiB'>128</memory>
  <currentMemory unit='MiB'>128</currentMemory>
  <vcpu placement='static'>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
  </features>
  <cpu mode='custom' match='exact' check='none'>
    <model fallback='forbid'>qemu64</model>
  </cpu>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='${imagePath}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <controller type='usb' index='0' model='none'/>
    <controller type='pci' index='0' model='pci-root'/>
    <interface type='bridge'>
      <mac address='52:54:00:12:34:56'/>
      <source bridge='br0'/>
      <model type='virtio'/>
    </interface>
    <memballoon model='none'/>
  </devices>
</domain>
`
