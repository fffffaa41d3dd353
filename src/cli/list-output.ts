import {renderTable, type Column} from '../ui/table.js'
import type {Output} from './flags.js'

export interface ListOutput<Row> {
  readonly output: Output
  /** what `-o yaml` prints whole; `-o json` is printed by the base command */
  readonly document: object
  readonly rows: readonly Row[]
  readonly columns: readonly Column<Row>[]
  readonly name: (row: Row) => string
  /** printed instead of an empty table */
  readonly empty: string | undefined
}

/** Prints a list as `-o` says. */
export async function printList<Row>(print: (text: string) => void, list: ListOutput<Row>): Promise<void> {
  switch (list.output) {
    case 'name':
      for (const row of list.rows) print(list.name(row))
      return
    case 'yaml': {
      const {stringify} = await import('yaml')
      print(stringify(list.document).trimEnd())
      return
    }
    case 'json':
      return
    case 'table':
    case 'wide':
      if (list.rows.length > 0) {
        print(renderTable(list.columns, list.rows, {wide: list.output === 'wide', width: process.stdout.columns}))
      } else if (list.empty !== undefined) print(list.empty)
  }
}
