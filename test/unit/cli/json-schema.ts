import {readFileSync} from 'node:fs'

/** The part of JSON Schema that docs/json uses; anything else in a schema is an error. */
interface Schema {
  readonly $ref?: string
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean'
  readonly enum?: readonly unknown[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly minimum?: number
}

const known = new Set(
  '$schema title description $ref type enum required properties additionalProperties items minimum'.split(' '),
)
const directory = new URL('../../../docs/json/', import.meta.url)

export function readSchema(file: string): Schema {
  return JSON.parse(readFileSync(new URL(file, directory), 'utf8')) as Schema
}

/** Everything that is wrong with a value, as `pairs[0].state: "happy" is not one of ...`; empty when it fits. */
export function problemsOf(value: unknown, schema: Schema, path = '$'): string[] {
  const odd = Object.keys(schema).filter((key) => !known.has(key))
  if (odd.length > 0) return [`${path}: the schema has ${odd.join(', ')}, which this check does not know`]
  if (schema.$ref !== undefined) return problemsOf(value, readSchema(schema.$ref), path)
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return [`${path}: ${JSON.stringify(value)} is not one of ${schema.enum.join(', ')}`]
  }
  if (schema.type !== undefined && !isOfType(value, schema.type))
    return [`${path}: ${typeof value} is not ${schema.type}`]
  if (schema.minimum !== undefined && Number(value) < schema.minimum) return [`${path}: less than ${schema.minimum}`]
  if (Array.isArray(value)) {
    return value.flatMap((item, index) =>
      schema.items === undefined ? [] : problemsOf(item, schema.items, `${path}[${index}]`),
    )
  }
  if (typeof value !== 'object' || value === null) return []
  return problemsOfObject(value as Readonly<Record<string, unknown>>, schema, path)
}

function problemsOfObject(value: Readonly<Record<string, unknown>>, schema: Schema, path: string): string[] {
  const missing = (schema.required ?? []).filter((key) => !(key in value)).map((key) => `${path}.${key}: missing`)
  const wrong = Object.entries(value).flatMap(([key, item]) => {
    const own = schema.properties?.[key] ?? schema.additionalProperties ?? true
    if (own === true) return []
    return own === false ? [`${path}.${key}: not in the schema`] : problemsOf(item, own, `${path}.${key}`)
  })
  return [...missing, ...wrong]
}

function isOfType(value: unknown, type: NonNullable<Schema['type']>): boolean {
  switch (type) {
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}
