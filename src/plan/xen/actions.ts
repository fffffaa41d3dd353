/** What agents do for pairs with `engine: xen`. As all actions: data, safe to run again; "ensure" looks first. */
export type XenAction =
  /**
   * Writes the configuration and creates the domain from it, paused. Its number is noted: from then on the domain is known by it. A
   * domain of the pair's name and uuid that is there already is taken over, another one of that name is an error.
   */
  | {readonly kind: 'xen-domain'; readonly ensure: 'created'; readonly config: string}
  /** destroys the domain that is noted; absent is fine */
  | {readonly kind: 'xen-domain'; readonly ensure: 'absent'}
  | {readonly kind: 'xen-run'; readonly state: 'running' | 'paused'}
  /** waits until the guest is past its firmware and can be suspended: its kernel says so in xenstore, or it has gone idle */
  | {readonly kind: 'xen-booted'; readonly timeoutMs: number}
  /** starts the receiving side of the relay and waits until it listens; nothing is received yet */
  | {
      readonly kind: 'xen-receive'
      readonly ensure: 'present'
      readonly address: string
      readonly port: number
      /** the one command that the other side may ask for */
      readonly argv: readonly [string, ...string[]]
    }
  /** kills the receiver before it could take over, then destroys `NAME--incoming`; absent is fine */
  | {readonly kind: 'xen-receive'; readonly ensure: 'absent'}
  /** starts `xl remus` with the relay in the place of ssh; settles when the stream flows. `TRANSPORT` stands for the relay's script */
  | {
      readonly kind: 'xen-protect'
      readonly ensure: 'present'
      readonly argv: readonly [string, ...string[]]
      readonly address: string
      readonly port: number
      readonly local: string
    }
  /** the grant for the primary: the relay ends, xl says that the backup failed, the guest goes on. Settles when it runs */
  | {readonly kind: 'xen-protect'; readonly ensure: 'absent'; readonly timeoutMs: number}
  /** on the secondary: waits for a complete checkpoint, and notes the number of the domain that is being received */
  | {readonly kind: 'xen-checkpoint'; readonly timeoutMs: number}
  /** the grant for the secondary: the receiver's input is closed, it takes over. Settles when the guest runs under the pair's name */
  | {readonly kind: 'xen-takeover'; readonly monitor: readonly string[]; readonly timeoutMs: number}
  /** the domain is called by the pair's name; waits while another one has it */
  | {readonly kind: 'xen-name'; readonly timeoutMs: number}
  /** pauses the domain, so that it says nothing more; absent is as silent. `absent` lets it go on */
  | {readonly kind: 'xen-fence'; readonly ensure: 'present' | 'absent'}
  /** asks the guest to power off and waits until its domain is gone */
  | {readonly kind: 'xen-shutdown'; readonly timeoutMs: number}
