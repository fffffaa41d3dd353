const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d

/** The peer sent something that is not a line of UTF-8 within the limit; the connection is of no more use. */
export class FramingError extends Error {
  override readonly name = 'FramingError'
}

/**
 * Cuts a byte stream into lines. Chunks may end anywhere, also inside a character.
 *
 * A line is returned without its `\n` (and without a `\r` before it). After a throw the framer must be dropped.
 */
export class LineFramer {
  /** longest line in bytes, without its line end */
  readonly limitBytes: number
  #held: Uint8Array[] = []
  #heldBytes = 0
  readonly #decoder = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true})

  constructor(limitBytes = 10 * 1024 * 1024) {
    this.limitBytes = limitBytes
  }

  /**
   * Takes the next chunk and returns the lines it completes, in order.
   *
   * @throws {FramingError} when a line passes the limit or is not UTF-8
   */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = []
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      this.#hold(chunk.subarray(from, end))
      lines.push(this.#takeLine())
      from = end + 1
    }
    this.#hold(Uint8Array.from(chunk.subarray(from))) // a copy: the caller may reuse its buffer
    return lines
  }

  /** bytes of a line that has begun and not ended */
  get pendingBytes(): number {
    return this.#heldBytes
  }

  #hold(part: Uint8Array): void {
    if (part.length === 0) return
    this.#heldBytes += part.length
    if (this.#heldBytes > this.limitBytes) throw new FramingError(`a line is longer than ${this.limitBytes} bytes`)
    this.#held.push(part)
  }

  #takeLine(): string {
    const [only] = this.#held
    const bytes = this.#held.length === 1 && only !== undefined ? only : Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length
    try {
      return this.#decoder.decode(bytes.subarray(0, end))
    } catch (error) {
      throw new FramingError('a line is not UTF-8', {cause: error})
    }
  }
}
