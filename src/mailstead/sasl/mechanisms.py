"""The mechanisms there are, by the names the protocols advertise."""

from mailstead.sasl.login import Login
from mailstead.sasl.mechanism import Begin
from mailstead.sasl.plain import Plain

MECHANISMS: dict[str, Begin] = {"PLAIN": Plain, "LOGIN": Login}
