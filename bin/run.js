#!/usr/bin/env node
import {main} from '../dist/src/cli/main.js'

await main({root: new URL('../', import.meta.url), code: new URL('../dist/', import.meta.url)})
