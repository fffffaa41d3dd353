import {coloOk, removePair} from '../support/lab.js'
import {BareScript} from './bare-script.js'
import {blankImages, createArgs, openBenchPair, removeBare} from './bench-pair.js'
import {cycles} from './cycles.js'
import {pairwise, timed, type Report} from './harness.js'

const rounds = 6
/** no new round begins after it */
const budgetMs = 50_000

interface Times {
  readonly colo: readonly number[]
  readonly bare: readonly number[]
}

/** `colo pair create` against a bare script that does the same, from blank images to lock-step and one checkpoint after it. */
export async function measure(): Promise<Report> {
  const idle = await idleGuest()
  const {colo, bare} = await cycles()
  const booting: Times = {colo: colo.map(({createMs}) => createMs), bare: bare.map(({createMs}) => createMs)}
  return {
    title: 'create to protected',
    rows: [
      {what: 'colo / bare script', unit: '×', values: pairwise(idle.colo, idle.bare), target: {atMost: 1.3}},
      {what: 'colo / bare script, guest boots meanwhile', unit: '×', values: pairwise(booting.colo, booting.bare)},
      {what: 'colo pair create', unit: 'ms', values: idle.colo},
      {what: 'bare script', unit: 'ms', values: idle.bare},
      {what: 'colo pair create, guest boots meanwhile', unit: 'ms', values: booting.colo},
      {what: 'bare script, guest boots meanwhile', unit: 'ms', values: booting.bare},
    ],
    notes: [
      'colo: from the start of the command to its end, "protected" verified. 1 disk of 64 MiB, 1 NIC, 128 MiB of memory, over ssh.',
      'bare: the text of the dry run, line by line, from a program that runs already; no preflight, record, fsync, lock or undo.',
      'A guest that boots competes for the processors with everything that is measured: those rows vary more.',
    ],
  }
}

/** A guest whose firmware found nothing to boot, so that both ways copy the same memory. */
async function idleGuest(): Promise<Times> {
  const pair = await openBenchPair('idle')
  const times = {colo: [] as number[], bare: [] as number[]}
  const start = performance.now()
  try {
    for (let round = 0; round <= rounds && performance.now() - start < budgetMs; round++) {
      await blankImages()
      const {ms} = await timed(() => coloOk(...createArgs(pair.file)))
      await removePair(pair.name)
      await blankImages()
      const script = new BareScript(await pair.hosts())
      const {ms: bareMs} = await timed(() => script.run(pair.create)).finally(() => script.close())
      await removeBare()
      if (round === 0) continue // files come from the disk for the first time
      times.colo.push(ms)
      times.bare.push(bareMs)
    }
    return times
  } finally {
    await removeBare()
    await pair.remove()
  }
}
