#!/usr/bin/env -S node --import tsx
import {main} from '../src/cli/main.ts'

const root = new URL('../', import.meta.url)
await main({root, code: root})
