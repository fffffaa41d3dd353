import {coloNamespace} from './member-xml.js'
import {attribute, child, edit, setAttribute, textOf} from './xml-tree.js'
import {buildXml, parseXml} from './xml.js'

/**
 * Puts the word of one start into the mark of a member's definition, where the libvirt hook looks for it; one without a mark gets it.
 *
 * @param word 32 hex digits
 * @see templates/libvirt/qemu-hook.sh
 */
export function withStartWord(xml: string, word: string): string {
  const domain = parseXml(xml, {source: 'domain', root: 'domain'})
  const name = child(domain, 'name')
  const marked = {'xmlns:colo': coloNamespace, name: name === undefined ? '' : textOf(name), start: word}
  return buildXml(
    edit(domain, 'metadata', (metadata) =>
      edit(metadata, 'colo:pair', (pair) =>
        Object.entries(marked).reduce(
          (changed, [key, value]) =>
            key === 'name' && attribute(changed, key) !== undefined ? changed : setAttribute(changed, key, value),
          pair,
        ),
      ),
    ),
  )
}
