/** Runs asynchronous work one after the other, in the order it was given; a failure does not stop what follows. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve()

  run<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => undefined)
    return result
  }

  /** Settles when all that was given so far has ended. */
  async idle(): Promise<void> {
    await this.#last
  }
}
