/** How far a copy is: from samples of done and total, the rate of the last seconds and the time left. */
export interface TransferSample {
  readonly atMs: number
  readonly doneBytes: number
  readonly totalBytes: number
}

export interface Transfer {
  readonly doneBytes: number
  readonly totalBytes: number
  /** 0 to 1 */
  readonly share: number
  readonly bytesPerSecond: number | undefined
  /** undefined while nothing moves */
  readonly leftMs: number | undefined
}

const windowMs = 10_000
const keptSamples = 64

/** Adds a sample; one that goes back in time or in bytes begins a new copy. */
export function addSample(samples: readonly TransferSample[], sample: TransferSample): readonly TransferSample[] {
  const last = samples.at(-1)
  if (last !== undefined && (sample.doneBytes < last.doneBytes || sample.atMs < last.atMs)) return [sample]
  const young = samples.filter(({atMs}) => atMs > sample.atMs - windowMs)
  return [...young.slice(1 - keptSamples), sample]
}

export function transferOf(samples: readonly TransferSample[]): Transfer | undefined {
  const last = samples.at(-1)
  const first = samples[0]
  if (last === undefined || first === undefined) return undefined
  const {doneBytes, totalBytes} = last
  const seconds = (last.atMs - first.atMs) / 1000
  const bytesPerSecond = seconds > 0 ? (doneBytes - first.doneBytes) / seconds : undefined
  const left = Math.max(0, totalBytes - doneBytes)
  return {
    doneBytes,
    totalBytes,
    share: totalBytes > 0 ? Math.min(1, doneBytes / totalBytes) : 0,
    bytesPerSecond,
    leftMs:
      left === 0 ? 0 : bytesPerSecond === undefined || bytesPerSecond <= 0 ? undefined : (left / bytesPerSecond) * 1000,
  }
}
