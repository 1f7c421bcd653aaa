import { defineConfig, type OxlintOverride } from 'oxlint';

/** The rooms of src/, lowest first; a file imports from its own room and from those named here, as drawn in ARCHITECTURE.md. */
const belowIo = ['contracts', 'formats'];
const belowEngines = [...belowIo, 'storage', 'net', 'db'];
const belowStages = [...belowEngines, 'sources', 'language', 'pictures', 'models', 'knn', 'runtime'];
const rooms = {
  contracts: [] as string[],
  formats: ['contracts'],
  storage: belowIo,
  net: belowIo,
  db: belowIo,
  demo: belowIo,
  sources: [...belowIo, 'storage', 'pictures'],
  language: belowIo,
  pictures: belowIo,
  models: [...belowEngines, 'pictures'],
  knn: belowEngines,
  runtime: belowEngines,
  stages: belowStages,
  probe: [...belowStages, 'stages'],
  server: [...belowStages, 'stages', 'pipeline'],
  cli: [...belowStages, 'stages', 'probe', 'server', 'pipeline', 'demo'],
} satisfies Record<string, string[]>;
const everyRoom = [...Object.keys(rooms), 'pipeline', 'bench', 'e2e', 'recipes', 'test', 'web'];
const way =
  'contracts <- formats <- {storage, net, db, language, pictures} <- {sources, models, knn, runtime} <- stages <- {probe, server} <- cli; cli imports demo too, which imports formats';

/** `process` and `console` come in by these two names too. */
const processModules = ['node:process', 'process', 'node:console', 'console'].map((name) => ({
  name,
  message: 'Only src/cli/main.ts prints, reads the environment or exits.',
}));

/** `../models/x.ts` from any depth, and `../pipeline.ts`. */
const from = (names: string[]): string => `^(\\.\\./)+(${names.join('|')})(/|\\.ts$)`;

const imports = (files: string, refused: string[], ...patterns: { regex: string; message: string }[]): OxlintOverride => ({
  files: [files],
  rules: {
    'no-restricted-imports': ['error', { paths: processModules, patterns: [{ regex: from(refused), message: `The way of imports is ${way}.` }, ...patterns] }],
  },
});

const roomOverrides = Object.entries(rooms).map(([room, allowed]) =>
  imports(
    `src/${room}/**`,
    everyRoom.filter((other) => other !== room && !allowed.includes(other)),
  ),
);

const outsidePipeline = Object.keys(rooms).filter((room) => room !== 'contracts' && room !== 'stages');

/** A stage is a file or a folder of src/stages, so what leaves it depends on how deep the file lies. */
const outsideStages = everyRoom.filter((other) => other !== 'stages' && !rooms.stages.includes(other));
const betweenStages = [
  { files: 'src/stages/*.ts', leaving: '^\\./' },
  { files: 'src/stages/*/*.ts', leaving: '^\\.\\./[^.]' },
  { files: 'src/stages/*/*/*.ts', leaving: '^(\\.\\./){2}[^.]' },
].map(({ files, leaving }) => imports(files, outsideStages, { regex: leaving, message: 'A stage never imports another: they meet on the documented files.' }));

/** What belongs to the one place that talks to the outside. */
const processProperties = ['argv', 'env', 'exit', 'exitCode', 'stderr', 'stdin', 'stdout'].map((property) => ({
  object: 'process',
  property,
  message: 'Only src/cli/main.ts prints, reads the environment or exits; pass the value in.',
}));

export default defineConfig({
  plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'node'],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  env: { builtin: true, node: true },
  ignorePatterns: ['node_modules', 'dist', 'pairmill-run', 'runs', 'bench/runs', '**/golden'],
  categories: { correctness: 'error', suspicious: 'error' },
  rules: {
    // Promises: a lost one hides the failure of a shard.
    'typescript/no-floating-promises': ['error', { ignoreVoid: true }],
    'typescript/no-misused-promises': 'error',
    'typescript/return-await': ['error', 'in-try-catch'],
    'typescript/only-throw-error': ['error', { allowThrowingUnknown: true }],
    'typescript/prefer-promise-reject-errors': 'error',
    // Closed lists (drop reasons, stages, sets) are switched over whole.
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'typescript/no-explicit-any': 'error',
    'typescript/no-unsafe-argument': 'error',
    'typescript/no-unsafe-assignment': 'error',
    'typescript/no-unsafe-call': 'error',
    'typescript/no-unsafe-member-access': 'error',
    'typescript/no-unsafe-return': 'error',
    'typescript/no-deprecated': 'error',
    'typescript/prefer-optional-chain': 'error',
    'typescript/prefer-includes': 'error',
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'import/no-duplicates': 'error',
    'no-restricted-imports': ['error', { patterns: [] }],
    'unicorn/prefer-node-protocol': 'error',
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'no-var': 'error',
    'prefer-const': 'error',
    'no-console': 'off',
    // Off, each for its reason:
    'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
    'no-unmodified-loop-condition': 'off', // an await in the loop lets others modify it
    'no-shadow': 'off', // short names (row, path, shard) in nested callbacks are clearer than row2
    'no-underscore-dangle': 'off', // LanceDB's and Apache Arrow's columns
    'typescript/consistent-return': 'off', // tsc's strict checks say it better
    'typescript/no-base-to-string': 'off', // options and columns are of unknown type; templates are checked
    'typescript/no-unnecessary-boolean-literal-compare': 'off', // isTTY is said to be boolean, and is undefined without a terminal
    'typescript/no-misused-spread': 'off', // [...text] is meant: code points
    'typescript/no-unsafe-type-assertion': 'off', // rows of Parquet, SQL and JSON get their type at the boundary
    'typescript/no-unnecessary-type-parameters': 'off',
    'typescript/unbound-method': 'off', // ports are plain objects; their methods don't use this
    'unicorn/consistent-function-scoping': 'off', // a small function reads best beside its only use
    'unicorn/no-array-sort': 'off', // sorting one's own array in place saves a copy of it
    'unicorn/require-post-message-target-origin': 'off', // worker threads, not windows
  },
  overrides: [
    {
      files: ['src/**', 'web/**'],
      rules: {
        'max-lines': ['error', { max: 300 }],
        'no-console': 'error',
        'no-restricted-properties': ['error', ...processProperties],
        'unicorn/no-process-exit': 'error',
      },
    },
    { files: ['bench/**', '.ci/**'], rules: { 'max-lines': ['error', { max: 300 }] } },
    ...roomOverrides,
    ...betweenStages,
    {
      files: ['src/pipeline.ts'],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            paths: processModules,
            patterns: [{ regex: `^\\./(${outsidePipeline.join('|')})/`, message: 'The list of stages imports the stages and the contracts.' }],
          },
        ],
      },
    },
    {
      files: ['src/cli/main.ts'],
      rules: { 'no-console': 'off', 'no-restricted-properties': 'off', 'unicorn/no-process-exit': 'off' },
    },
    {
      files: ['web/**'],
      plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'react', 'jsx-a11y'],
      env: { browser: true },
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                regex: from([
                  ...Object.keys(rooms)
                    .filter((room) => room !== 'contracts')
                    .map((room) => `src/${room}`),
                  'src/pipeline',
                  'bench',
                  'e2e',
                  'recipes',
                  'test',
                ]),
                message: 'web imports only src/contracts.',
              },
            ],
          },
        ],
        'react/no-danger': 'error', // captions come from the crawl: text, never HTML
        'react/rules-of-hooks': 'error',
        'react/exhaustive-deps': 'error',
        'react/jsx-key': 'error',
        'react/react-in-jsx-scope': 'off',
        'react/exhaustive-effect-dependencies': 'off', // says again what exhaustive-deps says
        'react/set-state-in-effect': 'off', // what is shown follows the address bar and the server
        'jsx-a11y/prefer-tag-over-role': 'off',
        'jsx-a11y/no-autofocus': 'off', // the page is its search box
        'import/no-unassigned-import': ['error', { allow: ['**/*.css'] }],
      },
    },
    {
      files: ['test/**', 'e2e/**'],
      plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'node', 'vitest'],
      rules: {
        'vitest/no-focused-tests': 'error',
        'vitest/no-disabled-tests': 'error',
        'vitest/no-identical-title': 'error',
        'vitest/valid-expect': ['error', { maxArgs: 2 }],
        'no-control-regex': 'off',
        'typescript/no-redundant-type-constituents': 'off',
        'typescript/require-array-sort-compare': 'off',
        // What a test takes out of JSON is checked by the assertion that follows.
        'typescript/no-unsafe-argument': 'off',
        'typescript/no-unsafe-assignment': 'off',
        'typescript/no-unsafe-call': 'off',
        'typescript/no-unsafe-member-access': 'off',
        'typescript/no-unsafe-return': 'off',
      },
    },
  ],
});
