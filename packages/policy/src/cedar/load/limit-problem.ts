import type { LimitFlaw } from '../text/limit-flaw.js';

const APPROVAL_PROBLEM =
  'a permit with @approval reads context.via, context.depth or context.authorizationDetails (or context as a whole). Each ' +
  'agent of a chain may add to them, and could take away people who must approve. Move the condition into a forbid with the ' +
  'same head: what stands here in a when belongs in its unless, such as unless { context.depth <= 2 }, and the reverse.';

const HISTORY_PROBLEMS = {
  permit:
    'a permit reads context.via (or context as a whole), or asks for much context.depth. History may forbid, never permit: ' +
    'move it into a forbid, or ask for less depth (context.depth <= 2).',
  forbid:
    'more history could lift this forbid. History may forbid, never permit: forbid when context.via contains an agent or ' +
    'context.depth > 2, or unless [...].containsAll(context.via) or context.depth <= 2.',
};

const DETAILS_PROBLEMS = {
  permit:
    'further context.authorizationDetails could make this permit apply, and each agent of a chain may add some: they limit, ' +
    'and never grant. What a user must have allowed is a scope. As a limit, write: if context has ' +
    'authorizationDetails.privileges then context.authorizationDetails.privileges.contains("x") else true.',
  forbid:
    'further context.authorizationDetails could lift this forbid, and each agent of a chain may add some: they limit, and ' +
    'never grant. Write: when { context has authorizationDetails.privileges && ' +
    '!context.authorizationDetails.privileges.contains("x") }.',
};

const ERROR_PROBLEM =
  'a condition that can fail is evaluated only if a condition before it, on context.via, context.depth or ' +
  'context.authorizationDetails, lets it. An error denies, and each agent of a chain could so avoid it. Put the conditions on ' +
  "these three last, or ask 'has' before each read that can fail.";

/** What to write instead of a policy that more history or further authorization details could turn into a permit. */
export function limitProblem(
  flaw: LimitFlaw | undefined,
  { effect, hasSchema }: { readonly effect: 'permit' | 'forbid'; readonly hasSchema: boolean },
): string | undefined {
  switch (flaw) {
    case undefined:
      return undefined;
    case 'approval':
      return APPROVAL_PROBLEM;
    case 'history':
      return HISTORY_PROBLEMS[effect];
    case 'details':
      return DETAILS_PROBLEMS[effect];
    case 'error':
      return ERROR_PROBLEM;
    case 'error-without-schema':
      return hasSchema ? undefined : ERROR_PROBLEM;
  }
}
