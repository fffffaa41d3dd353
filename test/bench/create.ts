import {cycles} from './cycles.js'
import {pairwise, type Report} from './harness.js'

/** `colo pair create` against a bare script that does the same, from blank images to lock-step and one checkpoint after it. */
export async function measure(): Promise<Report> {
  const {colo, bare} = await cycles()
  const own = colo.map(({createMs}) => createMs)
  const script = bare.map(({createMs}) => createMs)
  return {
    title: 'create to protected',
    rows: [
      {what: 'colo pair create / bare script', unit: '×', values: pairwise(own, script), target: {atMost: 1.3}},
      {what: 'colo pair create', unit: 'ms', values: own},
      {what: 'bare script', unit: 'ms', values: script},
    ],
    notes: [
      'colo: from the start of the command to its end, "protected" verified. 1 disk of 64 MiB, 1 NIC, 128 MiB of memory, over ssh.',
      'bare: the text of the dry run, line by line, from a program that runs already; no preflight, record, fsync, lock or undo.',
    ],
  }
}
