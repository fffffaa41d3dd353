import js from '@eslint/js'
import tseslint from 'typescript-eslint'

/** Which folder may import what, statically or lazily (docs/decisions/0003-layers.md). */
const owners = [
  {modules: ['execa', 'node:child_process', 'child_process'], folders: ['src/os']},
  {modules: ['node:net', 'net', 'node:dgram', 'dgram'], folders: ['src/os']},
  {modules: ['blessed', 'listr2'], folders: ['src/ui']},
  {modules: ['fast-xml-parser'], folders: ['src/libvirt']},
  {modules: ['yaml'], folders: ['src/config', 'src/cli']},
  {modules: ['valibot'], folders: ['src/config', 'src/agent', 'src/qmp']},
  {modules: ['@oclif/core'], folders: ['src/cli', 'commands']},
]

/** Folders that compute and never act: what has effects is known to them by its types alone. */
const pure = ['src/pair', 'src/plan', 'src/stats', 'src/libvirt', 'src/block', 'src/net', 'src/xen']
const effects = ['**/os/*', '**/agent/**', '**/operation/*', '**/host/*', '**/cli/*', '**/ui/*', '**/lab/*']

const folders = [
  ...pure,
  ...['os', 'ui', 'config', 'cli', 'host', 'agent', 'lab', 'operation', 'qmp', 'watch'].map((name) => `src/${name}`),
  'commands',
]

const everywhere = [
  {selector: 'TSEnumDeclaration', message: 'use a union of literals'},
  {selector: 'Property[key.name="shell"][value.value=true]', message: 'never a shell string'},
]

function importRules(folder) {
  const foreign = owners.filter((owner) => !owner.folders.includes(folder))
  const refused = foreign.flatMap(({modules, folders: allowed}) =>
    modules.map((name) => ({name, message: `only ${allowed.join(' and ')} may import this`})),
  )
  const upwards =
    folder === 'commands' || folder === 'src/cli' ? [] : [{group: ['**/cli/*'], message: 'imports point down'}]
  const acting = pure.includes(folder)
    ? [{group: effects, allowTypeImports: true, message: 'types only: this folder is pure'}]
    : []
  return {
    files: [`${folder}/**/*.ts`],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', {paths: refused, patterns: [...upwards, ...acting]}],
      'no-restricted-syntax': [
        'error',
        ...everywhere,
        ...refused.map(({name, message}) => ({selector: `ImportExpression[source.value="${name}"]`, message})),
      ],
    },
  }
}

export default tseslint.config(
  {ignores: ['dist', 'coverage', 'node_modules', 'test/fixtures']},
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {parserOptions: {projectService: true, tsconfigRootDir: import.meta.dirname}},
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', {considerDefaultExhaustiveForUnions: true}],
      '@typescript-eslint/consistent-type-imports': ['error', {disallowTypeAnnotations: false}],
      'no-restricted-syntax': ['error', ...everywhere],
      '@typescript-eslint/no-unused-vars': ['error', {argsIgnorePattern: '^_', varsIgnorePattern: '^_'}],
      // what follows fights clear code more often than it helps
      '@typescript-eslint/restrict-template-expressions': ['error', {allowNumber: true, allowBoolean: true}],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unnecessary-type-arguments': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['src/**/*.ts', 'commands/**/*.ts'],
    rules: {
      'no-console': 'error',
      'max-lines': ['error', {max: 300, skipBlankLines: true, skipComments: true}],
    },
  },
  ...folders.map(importRules),
  {
    files: ['test/**/*.ts', '.ci/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {paths: [{name: 'uvu', message: 'import test/support/suite.js'}]},
      ],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
    },
  },
  {files: ['test/support/**/*.ts'], rules: {'@typescript-eslint/no-restricted-imports': 'off'}},
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: Object.fromEntries(
        ['process', 'URL', 'console', 'performance', 'Buffer']
          .concat(['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'AbortController', 'AbortSignal'])
          .map((name) => [name, 'readonly']),
      ),
    },
  },
)
