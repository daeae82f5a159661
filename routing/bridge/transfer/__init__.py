"""Coming over from aristote-dispatcher, and the way back: read → compare with the register → carry out.

`values`, `environment`, `users` and `history` read its files into what they mean (`meaning`); `plan` compares
that with what stands in the register (`register`) and knows no database; `carry_out` runs the plan through the
register's own operations; `writing` makes its files again.
"""
