import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, normalize } from 'node:path';
import { cedarFromText } from '@countersign/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/run.js';
import { publishedPackages, readManifest, root } from '../support/workspace.js';
import { allPages, anchorsOf, type Block, blocksOf, linksOf, readPage } from './blocks.js';
import { compile } from './program.js';

const pages = allPages();
const blocks = pages.flatMap(blocksOf);
const inLanguage = (language: string) => blocks.filter((block) => block.language === language);

it('the pages are read: the README, the guides, a README of each package', () => {
  const paths = pages.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(['README.md', 'docs/guides/policy.md', 'packages/signature/README.md']));
  expect(inLanguage('ts').length).toBeGreaterThan(8);
});

it.each(pages.filter(({ path }) => path.startsWith('docs/')))('$path has at most 250 lines', ({ text }) => {
  expect(text.split('\n').length - 1).toBeLessThanOrEqual(250);
});

it('the index of the docs links to every page of docs/', () => {
  const index = readPage('docs/README.md');
  const linked = [
    ...linksOf(index),
    ...linksOf(readPage('docs/decisions/README.md')).map((link) => `decisions/${link}`),
  ];
  const unlinked = pages.filter(({ path }) => path.startsWith('docs/') && !linked.includes(path.slice('docs/'.length)));
  expect(unlinked.map(({ path }) => path)).toEqual(['docs/README.md']);
});

it('the README names every package that is published', () => {
  const { text } = readPage('README.md');
  for (const { name, folder } of publishedPackages()) {
    expect(text).toContain(`[\`${name}\`](packages/${basename(folder)})`);
  }
});

it('every block names its language, so that its test runs', () => {
  const known = [
    'ts',
    'json',
    'cedar',
    'cedarschema',
    'sh',
    'rego',
    'http',
    'js',
    'go',
    'python',
    'rust',
    'toml',
    'yaml',
    'diff',
    'http-message',
    'signature-base',
    'link-header',
    'link-payload',
    'token-header',
    'token-payload',
    'token',
    'link',
    'text',
  ];
  expect(blocks.filter(({ language }) => !known.includes(language))).toEqual([]);
});

it('every example with a client of Redis listens for its errors, because an outage would end the process', () => {
  const making = inLanguage('ts').filter(({ code }) => code.includes(" from 'redis'"));
  expect(making.length).toBeGreaterThan(1);
  expect(making.filter(({ code }) => !code.includes(".on('error'")).map(({ path, line }) => `${path}:${line}`)).toEqual(
    [],
  );
});

describe('TypeScript', () => {
  let application: string;
  let complaints: ReadonlyMap<Block, string[]>;
  beforeAll(async () => {
    application = await mkdtemp(join(tmpdir(), 'countersign-docs-'));
    complaints = await compile(application, inLanguage('ts'));
  }, 60_000);
  afterAll(() => rm(application, { recursive: true, force: true }));

  it.each(inLanguage('ts'))('$path:$line compiles against the published types', (block) => {
    expect(complaints.get(block)).toEqual([]);
  });
});

describe('JSON', () => {
  it.each(inLanguage('json'))('$path:$line parses', ({ code }) => {
    expect(() => JSON.parse(code) as unknown).not.toThrow();
  });
});

const texts = (language: string) =>
  Object.fromEntries(
    inLanguage(language).map(({ path, line, code }) => [`${path.replaceAll('/', '-')}.${line}.${language}`, code]),
  );

describe('Cedar', () => {
  it('policies and schemas of all pages load together', async () => {
    const policies = texts('cedar');
    expect(Object.keys(policies)).not.toEqual([]);
    const engine = await cedarFromText({ policies, schema: texts('cedarschema') });
    await engine.close?.();
  });

  it('an entity attribute decides as the policy guide describes', async () => {
    const engine = await cedarFromText({ policies: texts('cedar'), schema: texts('cedarschema') });
    const decisionFor = (owner: string): string =>
      engine.decide({
        principal: { id: 'agent-a', roles: [], capabilities: [] },
        action: 'wiki.edit',
        resource: { type: 'Wiki', id: 'home', attributes: { owner: { type: 'User', id: owner } } },
        context: {
          scope: [],
          onBehalfOf: 'user_123',
          depth: 1,
          via: [],
          proof: 'issuer',
          possession: 'signature',
          request: { method: 'PUT', path: '/wikis/home' },
        },
      }).decision;
    expect([decisionFor('user_123'), decisionFor('user_456')]).toEqual(['allow', 'deny']);
    await engine.close?.();
  });
});

describe('Links', () => {
  it.each(pages)('$path links only to existing targets', ({ path, text }) => {
    for (const link of linksOf({ path, text })) {
      const [file = '', anchor] = link.split('#');
      const target = normalize(file === '' ? path : join(dirname(path), file));
      expect(existsSync(join(root, target)), `${path}: ${link}`).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(readPage(target)), `${path}: ${link}`).toContain(anchor);
    }
  });
});

describe('Commands', () => {
  /** The lines of a page's shell blocks, with continuations joined and comments removed. */
  const lines = inLanguage('sh').flatMap(({ path, code }) =>
    code
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((line) => ({ path, line: line.replace(/(?:^| )#.*/, '').trim() }))
      .filter(({ line }) => line !== ''),
  );

  it('the two of the README are scripts of the workspace, and so is every other that is named', () => {
    const named = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\bpnpm(?:@12)?(?: --silent)? ([a-z][a-z:]*)/g)].map(([, script = '']) => ({ path, script })),
    );
    expect(named).toEqual(expect.arrayContaining(['demo', 'test'].map((script) => ({ path: 'README.md', script }))));
    const scripts = Object.keys(readManifest(root).scripts ?? {});
    expect(named.filter(({ script }) => !scripts.includes(script))).toEqual([]);
  });

  it.each(['docs/guides/install.md', 'docs/quickstart.md'])(
    '%s installs tarballs of the version, and with each what it is made of',
    (path) => {
      const [, list = '', version] = /countersign-\{([a-z,-]+)\}-([\d.]+)\.tgz/.exec(readPage(path).text) ?? [];
      const ours = new Map(publishedPackages().map(({ name, manifest }) => [name, manifest]));
      const named = list.split(',').map((name) => `@countersign/${name}`);
      expect(named).toEqual(expect.arrayContaining(['@countersign/core', '@countersign/express']));
      for (const name of named) {
        expect(ours.get(name)?.version, name).toBe(version);
        const needed = Object.keys(ours.get(name)?.dependencies ?? {}).filter((other) => ours.has(other));
        expect(named, `what ${name} is made of`).toEqual(expect.arrayContaining(needed));
      }
    },
  );

  // `npx countersign` without an install would run whatever somebody publishes under that bare name.
  it('npx runs only packages of this repository', () => {
    const named = lines.flatMap(({ path, line }) =>
      [...line.matchAll(/\bnpx (?:-y )?(\S+)/g)].map(([, name]) => ({ path, name })),
    );
    expect(named.filter(({ name }) => name !== 'pnpm@12' && name !== '@countersign/cli')).toEqual([]);
  });

  it('countersign knows every command and option that a page uses', async () => {
    const uses = lines.flatMap(({ path, line }) =>
      [
        ...line.matchAll(
          /(?:\bcountersign|npx @countersign\/cli) ((?:(?:audit|policy|agents|approvals|mcp) )?[a-z]+(?:-[a-z]+)*)([^|]*)/g,
        ),
      ].map(([, command = '', rest = '']) => ({ path, command, options: rest.match(/(?<= )--[a-z-]+/g) ?? [] })),
    );
    expect(uses.length).toBeGreaterThan(5);
    const binary = join(root, 'packages/cli/bin/countersign.js');
    const helps = new Map<string, Awaited<ReturnType<typeof run>>>();
    for (const { path, command, options } of uses) {
      const help = helps.get(command) ?? (await run(process.execPath, [binary, ...command.split(' '), '--help']));
      helps.set(command, help);
      const { stdout, exitCode } = help;
      expect(exitCode, `${path}: countersign ${command}`).toBe(0);
      expect(stdout, path).toContain(`countersign ${command}`);
      for (const option of options) expect(stdout, `${path}: countersign ${command}`).toContain(option);
    }
    // One process for each command.
  }, 60_000);
});
