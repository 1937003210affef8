/** What `ctr completion SHELL` prints. Each asks `ctr __complete`, so that it never grows old. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for ctr: source <(ctr completion bash)
_ctr() {
  local current=\${COMP_WORDS[COMP_CWORD]} line words=() at
  # COMP_WORDBREAKS cuts words at = and :, which belong to ours.
  local text=\${COMP_LINE:0:COMP_POINT}
  read -r -a words <<<"$text"
  [[ $text == *[[:space:]] ]] && words+=('')
  local last=\${words[-1]}
  local cut=\${last%"$current"}
  COMPREPLY=()
  compopt +o default +o nospace 2>/dev/null
  while IFS= read -r line; do
    case $line in
      :files) compopt -o default ; mapfile -t -O \${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$current") ;;
      :words) ;;
      *) line=\${line%%$'\\t'*}; COMPREPLY+=("\${line#"$cut"}") ;;
    esac
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace
}
complete -F _ctr ctr
`,
  zsh: `#compdef ctr
# zsh completion for ctr: source <(ctr completion zsh), or as _ctr in a directory of $fpath
_ctr() {
  local line files=0
  local -a plain explained
  while IFS= read -r line; do
    case $line in
      :files) files=1 ;;
      :words) ;;
      *$'\\t'*) explained+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
      *) plain+=("$line") ;;
    esac
  done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#explained} )) && _describe -t commands 'ctr' explained
  (( \${#plain} )) && compadd -a plain
  (( files )) && _files
  return 0
}
if [ "\${funcstack[1]}" = _ctr ]; then _ctr "$@"; else compdef _ctr ctr; fi
`,
  fish: `# fish completion for ctr: ctr completion fish | source
function __ctr_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path (commandline -ct)
            case ':words'
            case '*'
                echo $line
        end
    end
end
complete -c ctr -f -a '(__ctr_complete)'
`,
}
