/** The laboratory: hosts in namespaces on this machine. This is its interface for commands and tests. */
export {labUp, type LabUp, type UpOptions} from './up.js'
export {labDown, purgeCache} from './down.js'
export {labStatus, type HostStatus, type LabStatus} from './status.js'
export {argvIn, execIn, parsePlace, type LabPlace} from './exec.js'
export * as faults from './faults.js'
export {applyFault, faultForms, parseFault, type Fault} from './fault-words.js'
export {
  labHosts,
  labLinks,
  managementAddress,
  namespaces,
  replicationAddress,
  type LabHost,
  type LabLink,
} from './layout.js'
export {guestInHost} from './guest.js'
export {lineProgress, silentProgress, type Progress, type StepTime} from './progress.js'
