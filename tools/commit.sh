# The commit that is checked out, with +changes where the tree differs from it; "unknown" where that
# cannot be told. Asked for whenever it is shown or packed, since it changes without a build:
#
#   sh tools/commit.sh CHECKOUT

if ! head=$(git -C "$1" rev-parse --short=12 HEAD 2>/dev/null); then
  echo unknown
elif [ -n "$(GIT_OPTIONAL_LOCKS=0 git -C "$1" status --porcelain 2>/dev/null)" ]; then
  echo "$head+changes"
else
  echo "$head"
fi
