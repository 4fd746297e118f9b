import type { IncomingMessage } from 'node:http';
import type { UserDelegations } from '../delegation/consents.js';
import type { Answer } from '../http/answer.js';
import { createSealedJson } from '../keys/sealed-json.js';
import type { PageServices } from './consent.js';
import { delegationsPage } from './delegations-page.js';
import { foreign, readForm } from './form.js';
import { redirect } from './html.js';
import { signIn } from './sign-in.js';

/** The page on which users see which agents act for them, and end that. */
export interface DelegationPages {
  show(request: IncomingMessage, query: URLSearchParams): Promise<Answer>;
  end(request: IncomingMessage): Promise<Answer>;
}

const ticketSeconds = 3600;

const consentEnded = 'Ended. No more tokens are made from it, and APIs refuse the others within about a minute.';
const agentsEnded =
  'Ended. APIs refuse its tokens within about a minute. It gets new ones only once you allow it, or sign in where you use it, again.';

export function createDelegationPages(
  services: PageServices & { readonly userDelegations: UserDelegations },
): DelegationPages {
  const { settings, agents, consents, userDelegations, now } = services;
  const { users } = settings;
  const here = `${settings.issuerName}/delegations`;
  const tickets = createSealedJson(settings, 'delegation pages', now);

  return {
    async show(request, query) {
      const signedIn = await signIn(request, here, { users, agents });
      if ('answer' in signedIn) return signedIn.answer;
      const { subject } = signedIn.user;
      const [given, held] = await Promise.all([consents.listOf(subject), userDelegations.heldFor(subject)]);
      const ids = new Set([...given, ...held].map(({ agent }) => agent));
      const named = await Promise.all([...ids].map((id) => agents.get(id)));
      return delegationsPage({
        user: signedIn.user,
        signOut: services.signOutForm?.(signedIn.user, here),
        consents: given,
        held,
        agents: new Map(named.flatMap((agent) => (agent === undefined ? [] : [[agent.id, agent]]))),
        action: here,
        ticket: tickets.seal({ subject, exp: now() + ticketSeconds }),
        now: now(),
        ...(query.has('ended') && { notice: query.get('ended') === 'agents' ? agentsEnded : consentEnded }),
      });
    },

    async end(request) {
      const form = await readForm(request, settings.issuer.origin);
      const signedIn = await signIn(request, here, { users, agents });
      const ticket = tickets.open(form.get('ticket'));
      if (ticket === undefined || 'answer' in signedIn || signedIn.user.subject !== ticket['subject']) throw foreign();
      const [delegation, agent] = [form.get('delegation'), form.get('agent')];
      const what =
        delegation !== null
          ? { delegation }
          : agent !== null
            ? { agent }
            : form.get('all') === 'yes'
              ? 'all'
              : undefined;
      if (what === undefined) throw foreign();
      await userDelegations.revoke(signedIn.user.subject, what);
      return redirect(`${here}?ended${delegation === null ? '=agents' : ''}`);
    },
  };
}
