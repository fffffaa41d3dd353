import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {packageRoot} from './package-root.js'

/** Where an administrator's own templates lie; one found here is used instead of the packaged one. */
export const templateOverrides = '/etc/colo/templates'

export interface Template {
  readonly text: string
  /** for messages */
  readonly source: string
}

/** @param name path below `templates/`, such as `domain/pc.xml`; never user input */
export async function readTemplate(name: string): Promise<Template> {
  const override = join(templateOverrides, name)
  try {
    return {text: await readFile(override, 'utf8'), source: override}
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const packaged = join(packageRoot(), 'templates', name)
  return {text: await readFile(packaged, 'utf8'), source: packaged}
}
