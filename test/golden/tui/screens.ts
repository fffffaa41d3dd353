import type {Key, Model} from '../../../src/ui/tui/model.js'
import {update} from '../../../src/ui/tui/update.js'
import {screenText} from '../../../src/ui/tui/view.js'
import {sampleModel} from '../../support/sample-fleet.js'

const sizes = [
  [80, 24],
  [120, 40],
  [200, 60],
] as const

/** Every screen of the manual and of docs/screens, by the name of its file. Made of a sample fleet, so that they never change by chance. */
export function screens(): ReadonlyMap<string, string> {
  const all = new Map<string, string>()
  for (const [columns, rows] of sizes) {
    const size = `${columns}x${rows}`
    const list = sampleModel({columns, rows})
    const add = (name: string, model: Model): void => void all.set(`${name}-${size}`, `${screenText(model)}\n`)
    add('list', list)
    add('detail', sampleModel({columns, rows, place: {kind: 'detail', pair: 'web1'}}))
    add('hosts', sampleModel({columns, rows, place: {kind: 'hosts'}}))
    add('help', press(list, 'f1'))
    add('failover', press(sampleModel({columns, rows, place: {kind: 'detail', pair: 'web1'}}), 'f', 'w', 'e', 'b'))
  }
  return all
}

/** Presses keys: a single character is typed, anything longer is the name of a key. */
export function press(model: Model, ...names: readonly string[]): Model {
  return names.reduce((now, name) => update(now, {kind: 'key', key: keyOf(name)}).model, model)
}

export function keyOf(name: string): Key {
  return name.length === 1 ? {name, char: name} : name === 'space' ? {name, char: ' '} : {name}
}

/** The keys of a text that is typed. */
export function chars(text: string): string[] {
  return Array.from(text)
}
