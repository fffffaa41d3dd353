import {bad, parseFilePath, type Checked} from '../pair/names.js'
import {crashActions, type VmSpec} from '../pair/spec.js'
import {checked, MapFields, oneOf, wholeNumber, type Reader} from './fields.js'
import {sizeWithin} from './quantities.js'
import {suggestion} from './suggest.js'

/** `vm:`, the machine itself. */
export const readVm: Reader<VmSpec> = (field) => {
  const fields = MapFields.of(field)
  if (fields === undefined) return undefined
  fields.refused('drop', 'belongs to vm.from', 'remove it')
  const step = {bytes: 1024 ** 2, text: '1MiB'}
  const memoryBytes = fields.required('memory', sizeWithin({min: '16MiB', max: '4TiB'}, step))
  const vcpus = fields.optional('vcpus', wholeNumber({min: 1, max: 64}), 1)
  const machine = fields.optional('machine', checked(parseMachine), 'pc')
  const cpu = fields.optional('cpu', checked(parseCpu), 'qemu64')
  const accel = fields.optional('accel', oneOf(['auto', 'kvm', 'tcg']), 'auto')
  const onPoweroff = fields.optional('onPoweroff', oneOf(['stop', 'restart']), 'stop')
  const onReboot = fields.optional('onReboot', oneOf(['restart', 'stop']), 'restart')
  const onCrash = fields.optional('onCrash', oneOf(crashActions), 'report')
  const kernel = fields.maybe('kernel', readKernel)
  fields.finish()
  if (memoryBytes === undefined) return undefined
  const ends = {onPoweroff, onReboot, onCrash}
  return {memoryBytes, vcpus, machine, cpu, accel, ...ends, ...(kernel === undefined ? {} : {kernel})}
}

export const readKernel: Reader<NonNullable<VmSpec['kernel']>> = (field) => {
  const fields = MapFields.of(field)
  if (fields === undefined) return undefined
  const image = fields.required('image', checked(parseFilePath))
  const initrd = fields.maybe('initrd', checked(parseFilePath))
  const cmdline = fields.optional('cmdline', checked(parseCommandLine), '')
  fields.finish()
  return image === undefined ? undefined : {image, ...(initrd === undefined ? {} : {initrd}), cmdline}
}

function parseMachine(text: string): Checked<string> {
  if (/^(pc|q35|pc-(i440fx|q35)-\d{1,2}\.\d{1,2})$/.test(text)) return {ok: true, value: text}
  return bad('is not a machine type', suggestion(text, ['pc', 'q35', 'pc-i440fx-9.0', 'pc-q35-11.0']))
}

function parseCpu(text: string): Checked<string> {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return {ok: true, value: text}
  return bad('is not a CPU model', 'name a model without features, such as qemu64; virsh cpu-models x86_64 lists them')
}

/** x86 kernels take 2047 bytes. */
function parseCommandLine(text: string): Checked<string> {
  if (text.length > 2047) return bad('is too long', 'at most 2047 characters')
  if (/[^ -~]/.test(text)) return bad('contains a character that is not printable ASCII', 'write it on one line')
  return {ok: true, value: text}
}
