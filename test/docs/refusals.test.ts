import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { refusalPages } from '@countersign/common';
import { type RefusalCode, refusalCodes } from '@countersign/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/run.js';
import { root } from '../support/workspace.js';
import { blockOf, Parcels } from './parcels.js';

/** The commands on the pages of refusals, which the site is built with. */
const examples = Object.entries(
  JSON.parse(readFileSync(join(root, 'site/refusal-examples.json'), 'utf8')) as Record<RefusalCode, string>,
);

describe('the address of the pages of refusals', () => {
  // It is on the wire: a second place would let some answers keep an old one.
  it('stands in one place of the sources', async () => {
    const { host } = new URL(refusalPages);
    const places = ['packages/*/src/*', 'packages/*/bin/*', 'packages/*/package.json', 'clients', 'site'];
    const { stdout, stderr } = await run('git', ['grep', '-lF', host, '--', ...places], { cwd: root });
    expect(stdout, stderr).toBe('packages/common/src/wire/wire.ts\n');
  });

  it('is that of the documented answers', () => {
    for (const page of ['docs/reference/refusals.md', 'docs/reference/wire-profile.md']) {
      const types = readFileSync(join(root, page), 'utf8').matchAll(/"type":"([^"]+)\/([a-z_]+)"/g);
      for (const [, place, code] of types) {
        expect(`${place}/`, page).toBe(refusalPages);
        expect(refusalCodes).toContain(code);
      }
    }
  });
});

describe('the commands on the pages of refusals', () => {
  let parcels: Parcels;
  beforeAll(async () => {
    parcels = await Parcels.running(blockOf('docs/quickstart.md', 'createGuard({'));
  });
  afterAll(() => parcels.remove());

  it.each(examples)('%s is what the command gets', async (code, commands) => {
    const { stdout, stderr } = await parcels.play(commands);
    expect(refusalCodes).toContain(code);
    expect(stdout, stderr).toContain(`{"type":"${refusalPages}${code}"`);
  });
});
