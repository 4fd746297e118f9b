/** Built-in functions whose arguments are in what they return. */
const handsOn = /^(?:Promise\.\w+|Array\.(?:from|of)|Object\.(?!has|is|keys)\w+|Reflect\.(?:apply|construct|set))$/;
/** Functions that make another value of a text, or look for it in others. */
const converters =
  /^(?:(?:to|as)(?=[A-Z_])|(?:safe)?[pP]arse|decode|convert|coerce|cast|normali[sz]e|saniti[sz]e|slugify|(?:create)?[fF]rom(?=[A-Z]))|^(?:unescape|atob|ObjectId|Big|Decimal|Date|RegExp|exec|match|matchAll|localeCompare|split|replace|replaceAll)$/;
/** Their argument becomes an integer. */
const indexed =
  /^(?:at|with|charAt|charCodeAt|codePointAt|slice|splice|subarray|substring|substr|nth|repeat|padStart|padEnd|skip|take|limit|offset)$/;
/** A part of a text, or another case, is enough: `contains`, `whereILike`, `$regex`. */
const patterns = /(?:^|\W|(?<=[a-z])(?=[A-Z]))(?:[iI]?[lL]ike|i?[cC]ontains|(?:starts|ends)With|[rR]eg[eE]xp?)\]?$/;
/** Modules of paths, addresses and bytes. `a/../b` is `b`. */
const modules =
  /^(?:\w*[pP]ath|posix|win32|fs|fsp|fse|fsPromises|url|URL|Buffer|querystring|qs|Math|JSON|Intl|encodeURI(?:Component)?|decodeURI(?:Component)?)(?:\.|$)/;
const files =
  /^(?:(?:read|write|append|send|copy|open)File(?:Sync)?|create(?:Read|Write)Stream|readdir(?:Sync)?|(?:exists|access|stat|lstat|unlink|rm|rename|open)Sync|download|basename|dirname|extname)$/;
/** Their first argument is an address. */
const clients = /^(?:fetch|axios|got|ky|needle|superagent|undici|https?)(?:\.|$)/;

/** Whether a function, as it is called, uses an argument otherwise than it is. `isPart`: as a part of the argument. */
export function isConverter(called: string, index: number, isPart: boolean): boolean {
  const callee = called.replaceAll(/[?!]/g, '');
  const name = callee.split(/\W/).at(-1) ?? '';
  if (handsOn.test(callee) || modules.test(callee) || files.test(name) || (index === 0 && clients.test(callee)))
    return true;
  // Not `posts.like(id)`.
  if (isPattern(name) && (name !== 'like' || index > 0)) return true;
  return converters.test(name) || (indexed.test(name) && !isPart);
}

/** Also the key of an object: `{ $regex: id }`. */
export function isPattern(name: string): boolean {
  return patterns.test(name);
}
