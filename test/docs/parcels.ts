import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { freePort } from '../support/free-port.js';
import { type Ran, run } from '../support/run.js';
import { makeApplication, publishedPackages, root } from '../support/workspace.js';
import { blocksOf, readPage } from './blocks.js';

const cli = join(root, 'packages/cli/bin/countersign.js');
const quickstart = readPage('docs/quickstart.md');

/** The one block of a page that contains this text. */
export function blockOf(path: string, text: string): string {
  const found = blocksOf(path === quickstart.path ? quickstart : readPage(path)).filter(({ code }) =>
    code.includes(text),
  );
  expect(found, `${path}: ${text}`).toHaveLength(1);
  return found[0]?.code ?? '';
}

/** The folder of a reader of docs/quickstart.md, with the packages of the workspace as if they were installed. */
export class Parcels {
  readonly folder: string;
  readonly port: number;
  #server: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  static async create(): Promise<Parcels> {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-parcels-'));
    const packages = new Map(publishedPackages().map((one) => [one.name, one.folder]));
    packages.set('express', join(root, 'packages/express/node_modules/express'));
    for (const name of ['fastify', 'koa', '@koa/router']) packages.set(name, join(root, 'test/node_modules', name));
    await makeApplication(folder, packages);
    return new Parcels(folder, await freePort());
  }

  /** A folder in which steps 1 to 4 are done, with this `api.mjs`. */
  static async running(api: string): Promise<Parcels> {
    const parcels = await Parcels.create();
    expect(await parcels.play(blockOf(quickstart.path, 'keygen'))).toMatchObject({ exitCode: 0 });
    await parcels.writePolicies();
    await parcels.start(api);
    return parcels;
  }

  async writePolicies(): Promise<void> {
    await mkdir(join(this.folder, 'policies'), { recursive: true });
    await this.write('policies/schema.cedarschema', blockOf(quickstart.path, 'entity Parcel'));
    await this.write('policies/parcels.cedar', blockOf(quickstart.path, 'courier-reads'));
  }

  /** Writes a file of a page, for the port of this folder. */
  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.folder, name), this.#here(text));
  }

  /** Starts `api.mjs`. */
  async start(api: string): Promise<void> {
    await this.write('api.mjs', api);
    this.#server = spawn(process.execPath, ['api.mjs'], { cwd: this.folder, stdio: ['ignore', 'pipe', 'inherit'] });
    expect(await once(createInterface({ input: this.#server.stdout! }), 'line')).toEqual(['listening']);
  }

  /** Ctrl-C, as step 6 says. */
  async stop(): Promise<void> {
    this.#server?.kill('SIGINT');
    await once(this.#server!, 'exit');
  }

  /** Runs the commands of a page, in the folder. */
  async play(commands: string, env?: NodeJS.ProcessEnv): Promise<Ran> {
    const program = this.#here(commands).replaceAll('npx @countersign/cli', `'${process.execPath}' '${cli}'`);
    return await run('bash', ['-c', program], { cwd: this.folder, ...(env && { env }), deadlineSeconds: 120 });
  }

  async remove(): Promise<void> {
    this.#server?.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The page has the port 3000, and this repository beside the folder. */
  #here(text: string): string {
    return text.replaceAll('3000', `${this.port}`).replaceAll('../countersign/', root);
  }
}
