import { type AuditHop, CallerPart, type EventCaller } from '@countersign/audit';
import type { Chain } from '@countersign/delegation';
import type { Caller } from '../model/caller.js';
import { actsForItself } from '../stages/authorize/question.js';
import { meantIn } from '../stages/chain/sessions.js';
import type { Redactor } from './redact.js';

/** The caller's part of an event, redacted and rendered once for the callers of a session. */
export type CallerParts = (caller: Caller) => CallerPart;

/** What the part is made of. Not the caller itself, which would keep its request in memory. */
interface Known extends Pick<Caller, 'actor' | 'subject' | 'scope'> {
  readonly part: CallerPart;
}

/** `asksSubject`: policy is asked about the subject, too (`subjectMustAlsoBePermitted`). */
export function createCallerParts(redact: Redactor, asksSubject: boolean): CallerParts {
  const known = new WeakMap<Chain, Known>();
  return (caller) => {
    const { actor, subject, chain, scope, proof } = caller;
    const last = known.get(chain);
    // Callers of one session share these frozen objects.
    const isSame = last?.actor === actor && last.subject === subject && last.scope === scope;
    if (isSame && last.part.members.possession === proof.kind) return last.part;
    const part = new CallerPart(redact(identity(caller, asksSubject)));
    known.set(chain, { actor, subject, scope, part });
    return part;
  };
}

function identity(caller: Caller, asksSubject: boolean): EventCaller {
  const { actor, proof, subject, chain, scope } = caller;
  const { subject: first, between } = meantIn(chain);
  const nameHere = (id: string, at: number): string | undefined => (at === 0 ? first[0] : between.get(id));
  return {
    actor: { id: actor.id, ...(actor.keyId !== undefined && { keyId: actor.keyId }) },
    possession: proof.kind,
    // Without it, nobody could put the recorded decisions to other policies as the guard does.
    subject: asksSubject && !actsForItself(caller) ? { ...subject, mustBePermitted: true } : subject,
    chain: chain.map(({ authorizationDetails: _details, ...hop }, at) => withNameHere(hop, nameHere(hop.id, at))),
    scope,
  };
}

function withNameHere(hop: AuditHop, registeredAs: string | undefined): AuditHop {
  return registeredAs === undefined ? hop : { ...hop, registeredAs };
}
