# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for vmlane(1): nouns, verbs, options, and the names of networks and guests that
# there are now, asked from the daemon. Without a daemon names are not completed; nothing is said.

# "noun verb:its options"; a noun that is its own verb stands alone. tests/docs-agree.py compares
# this table with the command's help.
_vmlane_table='
status:
network list:
network show:
network create:--subnet --gateway --range --lease --domain --dns --uplink --ports --source --mtu --bridge --no-dhcp --mode --inbound --no-host --confirm --force --ipv6
network set:--confirm --force
network export:
network import:--replace --confirm --force
network delete:--force
network start:--confirm --force
network stop:--force
guest list:--network
guest find:
guest show:
guest attach:--network --mac --owner --queues
guest detach:
run:--network --name --mac --queues --model
port list:--network
mac list:--network
scan:--subnet --rate
forward list:--network
filter list:
filter add:--at
filter delete:
filter test:--source --from-outside
lease list:--network
lease release:
monitor:--network --count
trace:--count --verbose --summary --write --port --mac --netns
probe:--all --to --to6 --source --size --from-outside --send --port --mac --netns
explain:--source --size --from-outside --probe --port --mac --netns
capture:--write --count --snaplen --file-size --file-time --files --port --mac --netns
apply:--force --confirm
confirm:
diff:
check:
doctor:--fix --yes --netns
demo:--no-vm --keep --enter --stop --cache
help:
'

# Keys that `network set` often gets; all of them are in vmlane.yaml(5).
_vmlane_keys='mtu mode uplink inbound host bridge access peers switch.stp switch.learning switch.ageing
ipv4.subnet ipv4.gateway nat.ports nat.source nat.uplink dhcp.enabled policy.host policy.metadata policy.rules policy.sets limits.connections limits.new limits.broadcast limits.multicast limits.macs guard guard.mac guard.ip guard.arp guard.nd guard.dhcp guard.ra guard.ethertype guard.bpdu guard.broadcast guard.multicast guard.macs dhcp.range dhcp.lease dns.domain dns.servers'

# The values of key $1 in the objects of the list that the other arguments ask for. The command
# indents its JSON, so that the keys of the list's own objects, and no others, stand at column 7.
_vmlane_values() {
	local key=$1
	shift
	timeout 2 "${_vmlane_cmd[@]}" -o json "$@" 2>/dev/null </dev/null |
		sed -n "s/^      \"$key\": \"\\([A-Za-z0-9_.:-]*\\)\",\\{0,1\\}\$/\\1/p"
}

_vmlane_nouns() {
	sed -n 's/[ :].*//p' <<<"$_vmlane_table" | sort -u
}

_vmlane_verbs() {
	sed -n "s/^$1 \\([a-z]*\\):.*/\\1/p" <<<"$_vmlane_table"
}

_vmlane_options() {
	sed -n "s/^$1://p" <<<"$_vmlane_table"
}

_vmlane_reply() {
	mapfile -t COMPREPLY < <(compgen "$@" -- "$cur")
}

# Names of interfaces and namespaces can have anything in them, and compgen runs what looks like a command.
_vmlane_names() {
	grep -x '[A-Za-z0-9_.:@-]*'
}

_vmlane_takes_value() {
	case $1 in
	-o | --output | --socket | --network | --owner | --uplink | --mode | --confirm | --inbound | --model | --name | --mac | \
		--subnet | --gateway | --range | --lease | --domain | --dns | --ports | --source | --mtu | --bridge | \
		--queues | --count | --enter | --cache | --ipv6 | --port | --netns | --size | -w | --write | -s | --snaplen | \
		--file-size | --file-time | --files | --at | --rate | --to | --to6 | -c) ;;
	*) return 1 ;;
	esac
}

# What may stand as the value of option $1.
_vmlane_option_value() {
	case $1 in
	-o | --output) _vmlane_reply -W 'table json' ;;
	--socket) _vmlane_reply -f ;;
	--network) _vmlane_reply -W "$(_vmlane_values name network list)" ;;
	--name) _vmlane_reply -W "$(_vmlane_values name guest list)" ;;
	--owner) _vmlane_reply -u ;;
	--port) _vmlane_reply -W "$(ls /sys/class/net 2>/dev/null | _vmlane_names)" ;;
	--netns) _vmlane_reply -W "$(ls /run/netns 2>/dev/null | _vmlane_names)" ;;
	-w | --write) _vmlane_reply -f ;;
	--uplink) _vmlane_reply -W "auto $(ls /sys/class/net 2>/dev/null | _vmlane_names)" ;;
	--ipv6 | --subnet) _vmlane_reply -W auto ;;
	--enter) _vmlane_reply -W 'host internet web2' ;;
	--cache) _vmlane_reply -d ;;
	--mode) _vmlane_reply -W 'nat routed isolated bridged' ;;
	--inbound) _vmlane_reply -W 'accept established none' ;;
	--model) _vmlane_reply -W 'virtio-net-pci e1000e e1000 rtl8139' ;;
	esac
}

# What may stand as the $2-th argument of "noun verb" $1; $3 is the argument before it.
_vmlane_argument() {
	case "$1 $2" in
	'network show 1' | 'network set 1' | 'network export 1' | 'network delete 1' | 'network start 1' | 'network stop 1' | 'lease release 1' | 'filter add 1' | 'filter delete 1')
		_vmlane_reply -W "$(_vmlane_values name network list)"
		;;
	'guest show 1' | 'guest detach 1' | 'guest attach 1' | 'trace 1' | 'probe 1' | 'explain 1' | 'capture 1' | 'filter test 1')
		_vmlane_reply -W "$(_vmlane_values name guest list)"
		;;
	'filter list 1') _vmlane_reply -W "$(_vmlane_values name network list) $(_vmlane_values name guest list)" ;;
	'guest find 1') _vmlane_reply -W "$(_vmlane_values name guest list) $(_vmlane_values tap guest list) $(_vmlane_values mac guest list)" ;;
	'scan 1' | 'doctor 1') _vmlane_reply -W "$(_vmlane_values name network list) $(ls -d /sys/class/net/*/bridge 2>/dev/null | cut -d/ -f5 | _vmlane_names)" ;;
	'lease release 2')
		_vmlane_reply -W "$(_vmlane_values address lease list --network "$3")"
		;;
	'probe 2') _vmlane_reply -W 'icmp arp tcp udp --all' ;;
	'explain 2' | 'filter test 2') _vmlane_reply -W 'icmp arp tcp udp' ;;
	'filter add 2') _vmlane_reply -W 'allow deny reject' ;;
	'filter add 3') _vmlane_reply -W 'out in host' ;;
	'network set '*) _vmlane_reply -S = -W "$_vmlane_keys" && compopt -o nospace 2>/dev/null ;;
	check\ * | 'network import 1')
		_vmlane_reply -f
		compopt -o filenames 2>/dev/null
		;;
	'help 1') _vmlane_reply -W "$(_vmlane_nouns)" ;;
	'help 2') _vmlane_reply -W "$(_vmlane_verbs "$3")" ;;
	'run 1')
		_vmlane_reply -c
		;;
	run\ *)
		_vmlane_reply -f
		compopt -o filenames 2>/dev/null
		;;
	esac
}

_vmlane() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local _vmlane_cmd=("${COMP_WORDS[0]}") noun='' verb='' last='' word i n=0 command=0

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((command)); then
			((++n))
			continue
		fi
		case $word in
		--)
			command=1
			continue
			;;
		--socket)
			_vmlane_cmd+=(--socket "${COMP_WORDS[i + 1]}")
			((++i))
			continue
			;;
		-*)
			_vmlane_takes_value "$word" && ((++i))
			continue
			;;
		esac
		if [[ -z $noun ]]; then
			noun=$word
			[[ -z $(_vmlane_verbs "$noun") ]] && verb=-
		elif [[ -z $verb ]]; then
			verb=$word
		else
			((++n))
			last=$word
			[[ $noun == run ]] && command=1
		fi
	done

	local what=$noun
	[[ -n $verb && $verb != - ]] && what="$noun $verb"
	if ((!command)); then
		if _vmlane_takes_value "$prev"; then
			_vmlane_option_value "$prev"
			return
		fi
		if [[ $cur == -* ]]; then
			_vmlane_reply -W "$(_vmlane_options "$what") --output --socket --help"
			return
		fi
	fi
	if [[ -z $noun ]]; then
		_vmlane_reply -W "$(_vmlane_nouns)"
	elif [[ -z $verb ]]; then
		_vmlane_reply -W "$(_vmlane_verbs "$noun")"
	else
		_vmlane_argument "$what" $((n + 1)) "$last"
	fi
}

complete -F _vmlane vmlane
