import { join } from 'node:path';
import { expect, it } from 'vitest';
import { answerVectors } from './make/answers.js';
import { approvalVectors } from './make/approvals.js';
import { authorityVectors } from './make/authority.js';
import { bundleVectors } from './make/bundles.js';
import { digestVectors } from './make/digests.js';
import { keyVectors } from './make/keys.js';
import { linkVectors } from './make/links.js';
import { refusedVectors } from './make/refused.js';
import { requestVectors } from './make/requests.js';

// `pnpm test:one test/vectors -u` writes the files anew.
it.each<[file: string, make: () => object | Promise<object>]>([
  ['keys', keyVectors],
  ['digests', digestVectors],
  ['requests', requestVectors],
  ['refused-requests', refusedVectors],
  ['links', linkVectors],
  ['bundles', bundleVectors],
  ['answers', answerVectors],
  ['authority', authorityVectors],
  ['approvals', approvalVectors],
])('%s.json has what the packages make', async (file, make) => {
  const text = `${JSON.stringify(await make(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, `${file}.json`));
});
