"""What every engine holds an account to before it writes it."""

from upspace.model import AccountState, Profile
from upspace.store.interface import AccountDeletedError, Decide


def decided(mid: int, decide: Decide, known: Profile | None, *, is_deleted: bool) -> Profile:
    """The account as its rule has it.

    Raises what the rule raises, ValueError if it made another account, and AccountDeletedError.
    """
    changed = decide(known)
    if changed.account.mid != mid:
        raise ValueError(f"the rule for account {mid} made another account")
    check_deletion(changed, is_deleted=is_deleted)
    return changed


def check_deletion(profile: Profile, *, is_deleted: bool) -> None:
    """Raise AccountDeletedError if the account is deleted, or would become so by being written."""
    mid = profile.account.mid
    if profile.standing.state is AccountState.DELETED:
        raise AccountDeletedError(f"account {mid}: only a deletion makes an account deleted")
    if is_deleted:
        raise AccountDeletedError(f"account {mid} is deleted, which is final")


def looks_new(changed: Profile, known: Profile | None) -> bool:
    """Whether anything of an account is new that caches of accounts hold.

    That is all but its counters, its totals, and who may see its lists.
    """
    if known is None or changed.account != known.account:
        return True
    now, then = changed.standing, known.standing
    return (now.state, now.hides_birthday) != (then.state, then.hides_birthday)
