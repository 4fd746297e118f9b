import type { DetailedError, SchemaJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { ActionGroups } from '../index/hierarchy.js';
import { actionGroupsOf, type AppliesTo, askableActionsOf, enumeratedTypesOf } from './schema-facts.js';
import type { Cedar } from '../instance/instance.js';
import { lineAt } from '../text/policy-text.js';
import { describe } from '../instance/error-text.js';

/**
 * The vocabulary of agents that core ships: the types of every principal and context. A user's schema adds its own
 * resources and actions to it, in the same namespace:
 *
 * ```cedarschema
 * entity Repo;
 * action "pr.create" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
 * ```
 *
 * Where the subject must also be permitted: `principal: [Agent, User]`.
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
  // "issuer" or "signature".
  proof: String,
  // "signature", "dpop" or "web-bot-auth".
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

/** A schema that Cedar has accepted, and what of it is needed besides. */
export interface Schema {
  readonly text: string;
  readonly actionGroups: ActionGroups;
  readonly enumeratedTypes: ReadonlySet<string>;
  /** By key, with the types that each applies to. */
  readonly askableActions: ReadonlyMap<string, AppliesTo>;
}

/**
 * Joins the vocabulary and the user's schema files to one schema, and checks it. Problems are added to `problems`,
 * each with file and line.
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
    problems.push(...answer.errors.map((error) => `${joined.place(error)}: ${describe(error)}`));
    return undefined;
  }
  const unfit = agentActionsOfOtherContext(answer.json);
  problems.push(
    ...unfit.map(
      (action) =>
        `${joined.names}: action "${action}" is for agents, so write 'context: AgentContext' in its appliesTo.`,
    ),
  );
  if (unfit.length > 0) return undefined;
  return {
    text: joined.text,
    actionGroups: actionGroupsOf(answer.json),
    enumeratedTypes: enumeratedTypesOf(answer.json),
    askableActions: askableActionsOf(answer.json),
  };
}

/** The guard sends an AgentContext and nothing else: an action that expects another context could never be permitted. */
function agentActionsOfOtherContext(schema: SchemaJson<string>): string[] {
  return Object.values(schema)
    .flatMap(({ actions }) => Object.entries(actions))
    .filter(([, { appliesTo }]) => appliesTo?.principalTypes.includes('Agent') === true)
    .filter(([, { appliesTo }]) => appliesTo?.context?.type !== 'AgentContext')
    .map(([action]) => action);
}

/** Cedar counts in bytes from the start of the one text that it is given; people look for a file and a line. */
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

  /** A fault that also points into the head, such as a second declaration, is the file's. */
  place({ sourceLocations = [] }: DetailedError): string {
    const offset = Math.max(0, ...sourceLocations.map(({ start }) => start));
    const file = this.#files.findLast(({ start }) => start <= offset);
    return file === undefined ? this.names : `${file.name}:${lineAt(file.text, offset - file.start, 1)}`;
  }
}
