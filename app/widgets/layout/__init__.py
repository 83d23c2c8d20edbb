"""Where widgets stand: columns, and the bars between them.

column       a container that the layout places
splitter     the bar between two columns
side_layout  a column of controls with one large area beside it
"""
