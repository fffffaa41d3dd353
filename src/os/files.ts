/** What is known of a file beside its content. `mode`: the permission bits. */
export interface FileFacts {
  readonly inode: string
  readonly device: string
  readonly sizeBytes: number
  /** when its content was last changed, nanoseconds */
  readonly modifiedNs: string
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** File-system effects as the agent needs them; tests use a temporary directory. */
export interface Files {
  readText(path: string): Promise<string | undefined>
  /** temporary file beside it, fsync, rename, fsync of the directory */
  writeAtomic(path: string, content: string | Uint8Array, mode: number): Promise<void>
  /** appends one chunk; `sync` waits for fdatasync */
  append(path: string, text: string, options: {readonly mode: number; readonly sync: boolean}): Promise<void>
  makeDirectory(path: string, mode: number): Promise<void>
  list(path: string): Promise<readonly string[]>
  /** gone for good, also after a crash of the host, when it settles; absent is fine */
  remove(path: string): Promise<void>
  removeDirectory(path: string): Promise<void>
  stat(path: string): Promise<FileFacts | undefined>
  /** what an ordinary user may still write to the file system of a path; undefined when the path does not exist */
  availableBytes(path: string): Promise<number | undefined>
  /** numeric ids, and the mode when it is told; a symbolic link is an error, whoever may write to its directory */
  changeOwner(path: string, owner: {readonly uid: number; readonly gid: number; readonly mode?: number}): Promise<void>
  /** plain write without fsync, for /sys and /proc */
  writeText(path: string, text: string): Promise<void>
}
