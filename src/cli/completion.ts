/** `carillon completion <shell>`: the script by which a shell completes commands and options, made of these commands themselves. */
import { Argument, Command, type Option } from "commander";

type Shell = "bash" | "zsh" | "fish";

/** What may be typed next. */
interface Word {
  readonly text: string;
  readonly about: string;
}

/** Behind these words of a command line. */
interface Place {
  /** Separated by a space, and beginning with one; empty: behind the program's name. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
}

interface Tree {
  readonly places: readonly Place[];
  /** Options behind which a file's name comes. */
  readonly fileOptions: readonly string[];
}

export function completionCommand(): Command {
  const shell = new Argument("<shell>").choices(Object.keys(SCRIPTS));
  const command = new Command("completion");
  return command
    .description("print what makes a shell complete these commands: see docs/operations.md")
    .addArgument(shell)
    .action((name: Shell) => {
      const { parent } = command;
      if (parent !== null) process.stdout.write(SCRIPTS[name](treeOf(parent)));
    });
}

function treeOf(program: Command): Tree {
  const places: Place[] = [];
  const fileOptions = new Set<string>();
  const visit = (command: Command, path: string): void => {
    const options = command.createHelp().visibleOptions(command);
    for (const option of options) {
      if (takesFile(option)) fileOptions.add(nameOf(option));
    }
    const commands = command.createHelp().visibleCommands(command);
    const shells = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
    places.push({
      path,
      commands: [
        ...commands.map((each) => ({ text: each.name(), about: each.description() })),
        ...shells.map((text) => ({ text, about: "" })),
      ],
      options: options.map((each) => ({ text: nameOf(each), about: each.description })),
    });
    for (const each of command.commands) visit(each, `${path} ${each.name()}`);
  };
  visit(program, "");
  return { places, fileOptions: [...fileOptions] };
}

function nameOf({ long, short }: Option): string {
  return long ?? short ?? "";
}

function takesFile({ flags }: Option): boolean {
  return /<(?:path|file)[.>]/.test(flags);
}

const SCRIPTS: Readonly<Record<Shell, (tree: Tree) => string>> = { bash, zsh, fish };

/** In single quotes a shell takes everything as it is. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const known = ({ places }: Tree, separator: string): string =>
  places
    .slice(1)
    .map(({ path }) => quoted(path))
    .join(separator);

function bash(tree: Tree): string {
  const cases = tree.places.map(({ path, commands, options }) => {
    const words = [...commands, ...options].map(({ text }) => text).join(" ");
    return `    ${quoted(path)}) words=${quoted(words)} ;;`;
  });
  return `# carillon completion bash > /etc/bash_completion.d/carillon
_carillon() {
  local current=\${COMP_WORDS[COMP_CWORD]} at="" words="" index
  case \${COMP_WORDS[COMP_CWORD-1]} in
    ${tree.fileOptions.join("|")}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$at \${COMP_WORDS[index]}" in
      ${known(tree, "|")}) at="$at \${COMP_WORDS[index]}" ;;
    esac
  done
  case $at in
${cases.join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _carillon carillon
`;
}

function zsh(tree: Tree): string {
  const described = (words: readonly Word[]): string =>
    words
      .map(({ text, about }) =>
        quoted(about === "" ? text : `${text}:${about.replaceAll(":", "\\:")}`),
      )
      .join(" ");
  const cases = tree.places.map(
    ({ path, commands, options }) =>
      `    ${quoted(path)}) commands=(${described(commands)}); options=(${described(options)}) ;;`,
  );
  return `#compdef carillon
# carillon completion zsh > "\${fpath[1]}/_carillon"
_carillon() {
  local at="" word
  local -a commands options
  case \${words[CURRENT-1]} in
    ${tree.fileOptions.join("|")}) _files; return ;;
  esac
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      ${known(tree, "|")}) at="$at $word" ;;
    esac
  done
  case $at in
${cases.join("\n")}
  esac
  (( \${#commands} )) && _describe command commands
  _describe -o option options
}
if [[ \${funcstack[1]} == _carillon ]]; then _carillon "$@"; else compdef _carillon carillon; fi
`;
}

function fish(tree: Tree): string {
  const lines = tree.places.flatMap(({ path, commands, options }) => {
    const where = `complete -c carillon -n ${quoted(`__carillon_at ${quoted(path)}`)}`;
    const about = (text: string): string => (text === "" ? "" : ` -d ${quoted(text)}`);
    return [
      ...commands.map((each) => `${where} -f -a ${quoted(each.text)}${about(each.about)}`),
      ...options.map((each) => {
        const file = tree.fileOptions.includes(each.text) ? " -r -F" : " -f";
        return `${where}${file} -l ${quoted(each.text.slice(2))}${about(each.about)}`;
      }),
    ];
  });
  return `# carillon completion fish > ~/.config/fish/completions/carillon.fish
function __carillon_at
  set -l at ''
  for word in (commandline -opc)[2..]
    switch "$at $word"
      case ${known(tree, " ")}
        set at "$at $word"
    end
  end
  test "$at" = $argv[1]
end
${lines.join("\n")}
`;
}
