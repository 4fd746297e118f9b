import type { DetailedError, SchemaJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { ActionGroups } from '../index/hierarchy.js';
import { actionGroupsOf, type AppliesTo, askableActionsOf, enumeratedTypesOf } from './schema-facts.js';
import type { Cedar } from '../instance/instance.js';
import { lineAt } from '../text/policy-text.js';
import { errorText } from '../instance/error-text.js';

/**
 * The agent vocabulary: the types of every principal and context. The user's schema adds resources and actions to it, in
 * the same namespace:
 *
 * ```cedarschema
 * entity Repo;
 * action "pr.create" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
 * ```
 *
 * If the subject must also be permitted: `principal: [Agent, User]`.
 */
export const AGENT_VOCABULARY = `entity Group in [Group];
entity User in [Group];
entity Role in [Role];
entity Agent in [Role] = {
  // The scopes it may ever use, and who answers for it.
  capabilities: Set<String>,
  owner?: String,
};
type AgentContext = {
  // Every known scope that the effective scope covers.
  scope: Set<String>,
  // Both absent when the agent acts for itself. Of other agents, here and in via, only the names are sent, not the roles.
  onBehalfOf?: User,
  onBehalfOfAgent?: Agent,
  // Hops from subject to actor.
  depth: Long,
  // The agents between subject and actor. It may forbid; a permit that reads it stops the start.
  via: Set<Agent>,
  // "issuer", "signature" or "local".
  proof: String,
  // "signature", "dpop", "web-bot-auth", "bearer" or "local".
  possession: String,
  // What was handed over in detail (RFC 9396): of the details that match this request. What is absent is not limited.
  authorizationDetails?: {
    types: Set<String>,
    actions?: Set<String>,
    identifiers?: Set<String>,
    locations?: Set<String>,
    datatypes?: Set<String>,
    privileges?: Set<String>,
  },
  request: { method: String, path: String },
};
`;

/** Texts by file name. */
export type NamedTexts = Readonly<Record<string, string>>;

/** A schema that Cedar has accepted, and the facts that the engine derives from it. */
export interface Schema {
  readonly text: string;
  readonly actionGroups: ActionGroups;
  readonly enumeratedTypes: ReadonlySet<string>;
  /** By key, with the types that each action applies to. */
  readonly askableActions: ReadonlyMap<string, AppliesTo>;
}

/**
 * Joins the vocabulary and the user's schema files, and checks the result. Adds problems, each with file and line.
 */
export function readSchema(
  cedar: Cedar,
  files: NamedTexts,
  vocabulary: string,
  problems: string[],
): Schema | undefined {
  const joined = new JoinedText(vocabulary, files);
  if (/\p{Surrogate}/u.test(joined.text)) {
    problems.push('the schema holds a lone surrogate. Save it as UTF-8.');
    return undefined;
  }
  const answer = cedar.schemaToJsonWithResolvedTypes(joined.text);
  if (answer.type === 'failure') {
    problems.push(...answer.errors.map((error) => `${joined.locationOf(error)}: ${errorText(error)}`));
    return undefined;
  }
  const misfits = agentActionsWithOtherContext(answer.json);
  problems.push(
    ...misfits.map(
      (action) =>
        `${joined.names}: action "${action}" is for agents, so write 'context: AgentContext' in its appliesTo.`,
    ),
  );
  if (misfits.length > 0) return undefined;
  return {
    text: joined.text,
    actionGroups: actionGroupsOf(answer.json),
    enumeratedTypes: enumeratedTypesOf(answer.json),
    askableActions: askableActionsOf(answer.json),
  };
}

/** The guard sends only an AgentContext: an action with another context could never be permitted. */
function agentActionsWithOtherContext(schema: SchemaJson<string>): string[] {
  return Object.values(schema)
    .flatMap(({ actions }) => Object.entries(actions))
    .filter(([, { appliesTo }]) => appliesTo?.principalTypes.includes('Agent') === true)
    .filter(([, { appliesTo }]) => appliesTo?.context?.type !== 'AgentContext')
    .map(([action]) => action);
}

/** Maps Cedar's byte offsets in the joined text to file and line. */
class JoinedText {
  readonly text: string;
  readonly names: string;
  readonly #files: readonly { readonly name: string; readonly text: string; readonly start: number }[];

  constructor(head: string, files: NamedTexts) {
    let text = head;
    this.#files = Object.entries(files).map(([name, content]) => {
      const start = Buffer.byteLength(text);
      text += `${content}\n`;
      return { name, text: content, start };
    });
    this.text = text;
    this.names = this.#files.map(({ name }) => name).join(', ');
  }

  /** The last location counts: an error such as a second declaration also points into the vocabulary. */
  locationOf({ sourceLocations = [] }: DetailedError): string {
    const offset = Math.max(0, ...sourceLocations.map(({ start }) => start));
    const file = this.#files.findLast(({ start }) => start <= offset);
    return file === undefined ? this.names : `${file.name}:${lineAt(file.text, offset - file.start, 1)}`;
  }
}
