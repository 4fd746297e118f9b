// One page for each refusal code, from where the codes are defined.
import { readFileSync } from 'node:fs';
import { hints } from '../packages/cli/dist/hints/index.js';
import { refusalPages } from '../packages/common/dist/index.js';
import { refusal, refusalCodes } from '../packages/core/dist/index.js';

/** Commands that cause a refusal on the API of the quickstart. `test/docs/refusals.test.ts` runs them. */
const examples = JSON.parse(readFileSync(new URL('refusal-examples.json', import.meta.url), 'utf8'));

/** Codes that only the log has, and what the client gets instead. */
const answers = { key_unknown: 'signature_invalid', authorization_details_exceeded: 'policy_denied' };

function pageOf(code) {
  const { status, title, fault } = refusal(code);
  const { cause, fix } = hints[code];
  const sent = answers[code] ?? code;
  const body = { type: `${refusalPages}${sent}`, title: refusal(sent).title, status: refusal(sent).status, code: sent };
  const example = examples[code];
  return `---
description: ${JSON.stringify(title)}
---

# \`${code}\`

**${status}** ${title} ${fault === 'client' ? 'The request is at fault.' : 'The API is at fault: the request was correct, and was not carried out.'}

## Cause

${escaped(cause)}

## What to do

${escaped(fix)}

## The answer

${sent === code ? '' : `The client gets [\`${sent}\`](/refusals/${sent}), and only the audit log has \`${code}\`.\n`}
\`\`\`json
${JSON.stringify(body, undefined, 2)}
\`\`\`
${
  example === undefined
    ? ''
    : `
## Reproduce it

With [the API of the quickstart](/quickstart):

\`\`\`sh
${example}
\`\`\`
`
}
## Investigate

As the agent, explain the code. As the operator, find the requests and the exact reason in the audit log:

\`\`\`sh
npx @countersign/cli inspect ${code}
npx @countersign/cli audit query audit --code ${code}${code === 'policy_denied' ? explainDenial : ''}
\`\`\`

[All refusals](/refusals/)
`;
}

/** The record of a denial has the question that policy was asked, and this command the answer. */
const explainDenial = `
npx @countersign/cli policy explain policies --log audit --record NUMBER --agents agents.json`;

/** Text in which Vue reads no element. */
const escaped = (text) => text.replaceAll('<', '&lt;');

/** The pages, by code. */
export const refusalPagesByCode = new Map(refusalCodes.map((code) => [code, pageOf(code)]));

/** The table of refusals, each code with a link to its page. */
export function withLinks(text) {
  return text.replaceAll(/^\| `([a-z_]+)` \|/gm, (row, code) =>
    refusalPagesByCode.has(code) ? `| [\`${code}\`](/refusals/${code}) |` : row,
  );
}
