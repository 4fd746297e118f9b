import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { refusalPages } from '@countersign/common';
import { type RefusalCode, refusalCodes } from '@countersign/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../support/workspace.js';
import { blockOf, Parcels } from './parcels.js';

/** The commands on the pages of refusals, which the site is built with. */
const examples = Object.entries(
  JSON.parse(readFileSync(join(root, 'site/refusal-examples.json'), 'utf8')) as Record<RefusalCode, string>,
);

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
