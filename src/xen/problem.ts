/** What is wrong in an xl.cfg. */
export interface ConfigProblem {
  /** `disk[0].colo-port`, `line 3` */
  readonly where: string
  /** follows `where`: `is out of range` */
  readonly problem: string
  /** xl parses it without an error; colo is stricter */
  readonly laxity: boolean
}
