/**
 * The Cedar schema of what an MCP server offers. Add it to the schema of your policies, beside the entities of your own.
 * Calls of rules with `call` need a type of their own, like `entity Query in [Tool, ToolGroup] = { dataset: String };`,
 * which is added to the resources of `tool.call`.
 */
export const mcpSchema = `entity ToolGroup;
entity Tool in [ToolGroup];
entity Prompt;
entity McpResource;
entity McpResourceTemplate;
action "tool.call", "tool.list" appliesTo { principal: [Agent, User], resource: [Tool], context: AgentContext };
action "prompt.get", "prompt.list" appliesTo { principal: [Agent, User], resource: [Prompt], context: AgentContext };
action "resource.read", "resource.list" appliesTo {
  principal: [Agent, User],
  resource: [McpResource, McpResourceTemplate],
  context: AgentContext
};
`;
