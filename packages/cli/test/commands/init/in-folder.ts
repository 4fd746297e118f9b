import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { type CliResult, runCli } from '../../run-cli.js';

export interface InFolder {
  /** Writes files of the application. */
  readonly put: (files: Readonly<Record<string, string>>) => Promise<void>;
  /** Writes an application of NestJS with a controller of the path `items`, which has these members. */
  readonly putNest: (members: string) => Promise<void>;
  readonly init: (...args: string[]) => Promise<CliResult>;
  readonly run: (...args: string[]) => Promise<CliResult>;
  readonly read: (path: string) => Promise<string>;
  readonly path: (path: string) => string;
  /** The permit of `GET /items/:id` with this handler, and code below it, or why a person has to write it. */
  readonly permitOf: (handler: string, more?: string) => Promise<string | undefined>;
  /** The same of `PUT /items/:id`, by the body of its handler. */
  readonly permitOfPut: (body: string, more?: string) => Promise<string | undefined>;
}

/** A folder of its own for each test. */
export function inFolder(): InFolder {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-init-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  async function put(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
  }
  return {
    put,
    putNest: (members) =>
      put({
        'package.json': manifest('@nestjs/core', '@nestjs/platform-express'),
        'tsconfig.json': '{}',
        'src/app.module.ts': '@Module({})\nexport class AppModule {}\n',
        'src/items.ts': `@Controller('items')\nclass Items {\n  ${members}\n}\n`,
      }),
    init: (...args) => runCli(['init', folder, ...args]),
    run: (...args) => runCli(args),
    read: (path) => readFile(join(folder, path), 'utf8'),
    path: (path) => join(folder, path),
    async permitOf(handler, more = '') {
      await put({
        'package.json': manifest('express'),
        'tsconfig.json': '{}',
        'app.ts': `const app = express();\napp.get('/items/:id', ${handler});\n${more}`,
        'list.txt': 'GET /items/:id item.read Item\n',
      });
      const { out, err } = await runCli(['init', folder, '--routes', join(folder, 'list.txt')]);
      const [, id] = /permit\('item\.read', \(req\) => \(\{ type: 'Item', id: (.*?) \}\)\)/.exec(out) ?? [];
      const [, problem] = /Put a permit by hand: GET \/items\/:id in app\.ts:2 \((.*)\)$/m.exec(err) ?? [];
      expect([id, problem]).toContain(undefined);
      return id ?? problem;
    },
    async permitOfPut(body, more = '') {
      await put({
        'package.json': manifest('express'),
        'tsconfig.json': '{}',
        'app.ts': `const app = express();\napp.put('/items/:id', async (req, res) => { ${body} });\n${more}`,
        'list.txt': 'PUT /items/:id item.update Item\n',
      });
      const { out, err } = await runCli(['init', folder, '--routes', join(folder, 'list.txt')]);
      const [, id] = /type: 'Item', id: (.*?) \}\)/.exec(out) ?? [];
      const [, problem] = /Put a permit by hand: PUT \/items\/:id in app\.ts:2 \((.*)\)$/m.exec(err) ?? [];
      expect([id, problem]).toContain(undefined);
      return id ?? problem;
    },
  };
}

/** A package.json with dependencies. */
export function manifest(...dependencies: string[]): string {
  return JSON.stringify({ dependencies: Object.fromEntries(dependencies.map((name) => [name, '*'])) });
}
