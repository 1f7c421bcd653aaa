# zsh-offers.zsh SCRIPT LINE: what zsh offers at the end of the line, a word a line: a shell at a terminal of its own, and its Tab key.
zmodload zsh/zpty
setup=$(mktemp -d)
cat >$setup/rc <<'RC'
PS1=''
autoload -Uz compinit && compinit -u -D
# Each match as it is added.
compadd() { local -a offered; builtin compadd -O offered "$@"; print -rn -- "${(@)offered/(#m)*/<$MATCH>}"; builtin compadd "$@" }
bindkey '^I' complete-word
source "$PAIRMILL_SCRIPT"
print READY
RC
export PAIRMILL_SCRIPT=$1
zpty -b terminal zsh -f -i
zpty -w terminal "source $setup/rc"
heard=''
read_until() { local part; repeat 200; do while zpty -rt terminal part; do heard+=$part; done; [[ $heard == *$1* ]] && return; sleep 0.05; done }
read_until $'READY\r'
heard=''
zpty -w -n terminal "$2"$'\t'
sleep 0.3
zpty -w terminal $'\x15print DONE'
read_until $'DONE\r'
zpty -d terminal
rm -r $setup
print -r -- $heard | grep -o '<[^>]*>' | tr -d '<>' | sort -u
