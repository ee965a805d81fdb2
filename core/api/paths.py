# Ids are below 2^63: any number of 18 digits fits the column.
ID_PATTERN = "[0-9]{1,18}"
