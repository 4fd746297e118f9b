/** An adapter, and the framework that it is for. */
export interface Adapter {
  /** Of the package `packages/<name>`, of its host `test/hosts/<name>.ts`, and the first part of the name of each host. */
  readonly name: string;
  /** The npm package; undefined if the adapter is for `node:http` itself. */
  readonly framework?: string;
  /** The major versions that the adapter supports, ascending. */
  readonly majors: readonly number[];
}

/** Every adapter. To add a framework, add its package, its host and a line here: see CONTRIBUTING.md. */
export const adapters: readonly Adapter[] = [
  { name: 'node-http', majors: [] },
  { name: 'express', framework: 'express', majors: [4, 5] },
  { name: 'fastify', framework: 'fastify', majors: [5] },
  { name: 'koa', framework: 'koa', majors: [2, 3] },
];

/** One supported major version of a framework. */
export interface Framework {
  readonly adapter: string;
  readonly name: string;
  readonly major: number;
  /** The package name in imports of tests: the real one for the newest version, else like `express4`. */
  readonly alias: string;
  readonly host: string;
}

export const frameworks: readonly Framework[] = adapters.flatMap(({ name: adapter, framework, majors }) =>
  framework === undefined
    ? []
    : majors.map((major) => ({
        adapter,
        name: framework,
        major,
        alias: major === majors.at(-1) ? framework : `${framework}${major}`,
        host: `${adapter}${major}`,
      })),
);
