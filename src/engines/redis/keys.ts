/**
 * Names of keys and topics: `<prefix>:{<app>:<words>:<name>}:<part>`. What stands in the braces is the hash tag: everything
 * with one tag lies in one slot of a Cluster, and `shardOf` of the tag is its home among several servers.
 */

export interface Home {
  /** What to ask `RedisServers.shardOf` for. */
  readonly tag: string;
  /** Keys of this home begin with it, followed by `:` and a part; its topic is this itself. */
  readonly base: string;
}

/** `prefix` without braces. Words and the name may be any text; only the name may be long. */
export function home(prefix: string, words: readonly string[], name: string): Home {
  return homes(prefix, words)(name);
}

/** The homes of many names under the same words. */
export function homes(prefix: string, words: readonly string[]): (name: string) => Home {
  const before = words.map((word) => `${escapeWord(word)}:`).join("");
  const open = `${prefix}:{${before}`;
  return (name) => {
    const escaped = escapeName(name);
    return { tag: before + escaped, base: `${open}${escaped}}` };
  };
}

/** A colon ends a word, a brace the tag; the percent sign is escaped so that no two names become one. */
function escapeWord(word: string): string {
  return word.replaceAll(/[%:{}]/g, encodeURIComponent);
}

function escapeName(name: string): string {
  return SPECIAL.test(name) ? name.replaceAll(/[%{}]/g, encodeURIComponent) : name;
}

const SPECIAL = /[%{}]/;
