# Turns files into one C file, so that a program needs nothing beside itself.
#
#     cmake -DFILES=<a.sql;b.sql> -DNAME=<array> -DOUT=<out.c> -P api/embed.cmake
#
# See api/embedded.h for what the C file defines.
set(arrays "")
set(rows "")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} symbol)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const unsigned char file_${symbol}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", (const char *)file_${symbol}, sizeof file_${symbol} - 1},\n")
endforeach()
file(WRITE ${OUT}.new "#include \"api/embedded.h\"\n\n${arrays}
const struct embedded_file ${NAME}[] = {\n${rows}    {0, 0, 0}};\n")
file(RENAME ${OUT}.new ${OUT})
