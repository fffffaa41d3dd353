#!/usr/bin/env -S node --import tsx
import {readFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {execute, settings} from '@oclif/core'

settings.enableAutoTranspile = false
const root = fileURLToPath(new URL('..', import.meta.url))
const pjson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
pjson.oclif.commands = {...pjson.oclif.commands, target: './commands'}
await execute({development: true, loadOptions: {root, pjson, ignoreManifest: true}})
