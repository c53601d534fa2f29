/** Words for what can be wrong with a configuration: `carillon errors` and docs/errors.md explain them. */

export const CONFIG_WORDS = {
  config_unknown_key: {
    means: "The file or the environment has a key that there is not.",
    cause: "It is mistyped, stands in another table, or is of another version.",
    remedy: "The line names the nearest known key; `carillon config --reference` has all.",
  },
  config_missing: {
    means: "A key that is needed is not there.",
    cause: "A table without one of its required keys, or a key that another one asks for.",
    remedy: "Add it: the reference page has its type and meaning.",
  },
  config_invalid: {
    means: "A value is not of its type, or out of its bounds.",
    cause: "A text in place of a number, a duration without a unit, a number that is too large.",
    remedy: "The line says what it must be.",
  },
  config_conflict: {
    means: "Keys do not fit together.",
    cause: "Each is allowed by itself, and together they would not work or not be safe.",
    remedy: "The line names what has to change.",
  },
  config_file: {
    means: "A file cannot be used.",
    cause: "It does not exist, cannot be read, or is not TOML, YAML or JSON.",
    remedy: "Correct its path or rights, or the place that the line names.",
  },
  config_environment: {
    means: "An environment variable is not known or cannot be read.",
    cause: "A name that begins with `CARILLON_` and is no key's, or a value of another form.",
    remedy: "Correct or unset the variable; the reference page has the names.",
  },
} as const;

export type ConfigWord = keyof typeof CONFIG_WORDS;
