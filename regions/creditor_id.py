"""SEPA creditor identifiers (EPC262-08): who collects direct debits, in the words of every mandate and of every debit.

`CCddZZZnnn…`: the country that gave it, two check digits (ISO 7064 MOD 97-10, as an IBAN's), a business code of the
creditor's own choice, and the national identifier. The business code is no part of what the digits check.
"""

import re
from typing import Final

_FORM: Final = re.compile(r"([A-Z]{2})([0-9]{2})([0-9A-Z]{3})([0-9A-Z]{1,28})")
_REMAINDER: Final = 1


def is_creditor_id(text: str) -> bool:
    """Whether this is a creditor identifier whose check digits are right; written in capitals, without spaces."""
    found = _FORM.fullmatch(text)
    if found is None:
        return False
    country, digits, _, national = found.groups()
    return 2 <= int(digits) <= 98 and mod_97(national + country + digits) == _REMAINDER  # noqa: PLR2004


def mod_97(text: str) -> int:
    """The remainder by 97 of digits and capitals, A counting 10 and Z 35 (ISO 7064)."""
    return int("".join(str(int(character, 36)) for character in text)) % 97
