import tseslint from 'typescript-eslint';

/** The layers of lib/, lowest first: each imports only from those before it. */
const LAYERS = ['x86', 'mm', 'stack', 'experiments', 'figures', 'course'];

/** Node's own modules stay out of what also runs in a browser. */
const NODE = ['node:*', 'fs', 'path', 'os', 'child_process', 'worker_threads', 'util', 'process'];

const layerRules = LAYERS.map((layer, i) => ({
  files: [`lib/${layer}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: [...LAYERS.slice(i + 1), 'learner', 'jupyter'].map((above) => `**/${above}/**`),
            message: `lib/${layer} imports only from the layers below it`,
          },
          { group: NODE, message: `lib/${layer} runs in a browser too` },
        ],
      },
    ],
    'no-restricted-properties': [
      'error',
      { object: 'Math', property: 'random', message: 'draw from the seeded generator passed in' },
      { object: 'Date', property: 'now', message: 'results must not depend on the time' },
      { object: 'performance', property: 'now', message: 'results must not depend on the time' },
    ],
    'no-restricted-globals': ['error', 'Date', 'console', 'process', 'performance'],
  },
}));

export default tseslint.config(
  {
    ignores: [
      '**/dist/',
      '**/node_modules/',
      '.venv/',
      '.guardpage/',
      'my-course/',
      'notebooks/',
      'test/artifacts/',
    ],
  },
  ...tseslint.configs.recommended,
  {
    rules: {
      eqeqeq: 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['**/*.js'],
    languageOptions: { sourceType: 'commonjs' },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  ...layerRules,
  {
    files: ['lib/jupyter/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: [...LAYERS, 'learner'].map((layer) => `**/${layer}/**`),
              message: 'lib/jupyter knows nothing of the simulation',
            },
          ],
        },
      ],
    },
  },
);
