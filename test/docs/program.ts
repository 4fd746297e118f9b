import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../support/run.js';
import { makeApplication, publishedPackages, root } from '../support/workspace.js';
import type { Block } from './blocks.js';

/** Names that a page has declared before, or leaves to its reader. */
const leftOpen = `declare global {
  const agent: import('@countersign/agent').Agent;
  const forUser: import('@countersign/agent').Signer;
  const pem: string;
  const text: string;
  const guard: import('@countersign/core').Guard;
  const issuerPrivateKey: import('@countersign/delegation').SigningKey;
  const token: string;
  const tokenFromYourIssuer: string;
  const body: string;
}
export {};
`;

const fileOf = ({ path, line }: Block): string => `${path}.${line}`;

/**
 * Compiles blocks against the types that are published, in one run, into an application's folder `out`. Resolves to the
 * errors of each block, with the line numbers of the page.
 */
export async function compile(application: string, blocks: readonly Block[]): Promise<ReadonlyMap<Block, string[]>> {
  await makeApplication(application, installed());
  // Decorators as NestJS needs them.
  const strict = { strict: true, noPropertyAccessFromIndexSignature: true, experimentalDecorators: true };
  const options = { target: 'es2023', module: 'nodenext', ...strict, skipLibCheck: true, types: ['node'] };
  const layout = { rootDir: '.', outDir: 'out' };
  const files = blocks.map((block) => `${fileOf(block)}.ts`);
  await writeFile(join(application, 'package.json'), JSON.stringify({ type: 'module' }));
  await writeFile(join(application, 'left-open.d.ts'), leftOpen);
  await writeFile(
    join(application, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...options, ...layout }, files: ['left-open.d.ts', ...files] }),
  );
  for (const block of blocks) {
    const path = join(application, `${fileOf(block)}.ts`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${'\n'.repeat(block.line - 1)}${block.code}export {};\n`);
  }
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout, stderr } = await run(process.execPath, [tsc, '--pretty', 'false'], { cwd: application });
  const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !line.startsWith(' '));
  const about = new Map(
    blocks.map((block) => [block, complaints.filter((line) => line.startsWith(`${fileOf(block)}.ts(`))]),
  );
  const others = complaints.filter((line) => ![...about.values()].flat().includes(line));
  if (others.length > 0) throw new Error(`tsc could not check the pages:\n${others.join('\n')}`);
  return about;
}

/** The JavaScript of a block. */
export async function compiled(application: string, block: Block): Promise<string> {
  return await readFile(join(application, 'out', `${fileOf(block)}.js`), 'utf8');
}

/** What pages about operation use. */
const others = [
  '@fastify/swagger',
  '@opentelemetry/exporter-prometheus',
  '@opentelemetry/sdk-metrics',
  'pino',
  'pino-http',
];

/** Every package of ours, and the frameworks and tools beside which it is developed, as an application has them. */
function installed(): ReadonlyMap<string, string> {
  // An issuer mints tokens with jose. The frameworks for MCP are those of test/mcp/frameworks, and users sign in at better-auth.
  const found = new Map([['jose', join(root, 'packages/core/node_modules/jose')]]);
  for (const name of [
    ...others,
    '@nestjs/core',
    '@nestjs/platform-express',
    '@rekog/mcp-nest',
    'better-auth',
    'mcp-handler',
  ]) {
    found.set(name, join(root, 'test/node_modules', name));
  }
  for (const { name, folder, manifest } of publishedPackages()) {
    found.set(name, folder);
    for (const other of Object.keys({ ...manifest.peerDependencies, ...manifest.devDependencies })) {
      if (!found.has(other)) found.set(other, join(folder, 'node_modules', other));
    }
  }
  return found;
}
