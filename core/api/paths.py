# Ids end at 2^63: a number of eighteen digits always fits the column.
ID = "[0-9]{1,18}"
